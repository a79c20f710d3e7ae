/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/proxy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536
#define DELAY_MS 5

enum { RELEASE_HELD = 1, RELEASE_CUT = 2 };

static int unix_socket(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, 16) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- pairs; the lock is held ---- */

static void pair_end(struct proxy_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        if (pair->fd[i] >= 0)
            close(pair->fd[i]);
        pair->fd[i] = -1;
    }
    free(pair->held);
    pair->held = NULL;
    pair->nheld = 0;
    pair->stalled = 0;
}

static void accept_one(struct proxy *proxy)
{
    int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < PROXY_PAIRS; i++) {
        struct proxy_pair *pair = &proxy->pairs[i];
        if (pair->fd[0] >= 0)
            continue;
        int server = connect_to(proxy->server);
        if (server < 0)
            break; /* as if nobody listened */
        pair->fd[0] = fd;
        pair->fd[1] = server;
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* A peer that has gone is seen when its end is read. */
static void send_all(int fd, const char *data, uint64_t len)
{
    while (len) {
        ssize_t n = send(fd, data, (size_t)len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (uint64_t)n : 0;
    }
}

static void pass(struct proxy *proxy, struct proxy_pair *pair, enum proxy_side side,
    const char *data, uint64_t len)
{
    proxy->passed[side] += len;
    if (proxy->harm != PROXY_SPLIT) {
        send_all(pair->fd[!side], data, len);
        return;
    }
    for (uint64_t i = 0; i < len; i++)
        send_all(pair->fd[!side], data + i, 1);
}

static void stall(struct proxy_pair *pair, enum proxy_side side, const char *data, uint64_t len)
{
    pair->stalled = 1 + (int)side;
    pair->held = malloc(len ? (size_t)len : 1);
    if (!pair->held)
        abort();
    memcpy(pair->held, data, (size_t)len);
    pair->nheld = len;
}

/* What came from one side: all passed on, or up to where the harm is done. */
static void relay(struct proxy *proxy, struct proxy_pair *pair, enum proxy_side side,
    const char *data, uint64_t len)
{
    int due = proxy->harm != PROXY_NONE && proxy->harm != PROXY_SPLIT && !proxy->fired &&
              proxy->side == side && proxy->passed[side] + len >= proxy->at;
    uint64_t before = due ? proxy->at - proxy->passed[side] : len;
    pass(proxy, pair, side, data, before);
    if (!due)
        return;
    proxy->fired = 1;
    if (proxy->harm == PROXY_CUT) {
        pair_end(pair);
    } else if (proxy->harm == PROXY_STALL) {
        stall(pair, side, data + before, len - before);
    } else {
        poll(NULL, 0, DELAY_MS);
        pass(proxy, pair, side, data + before, len - before);
    }
}

static void read_one(struct proxy *proxy, struct proxy_pair *pair, enum proxy_side side)
{
    char data[CHUNK];
    ssize_t n = recv(pair->fd[side], data, sizeof(data), MSG_DONTWAIT);
    if (n > 0)
        relay(proxy, pair, side, data, (uint64_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        pair_end(pair);
}

static void let_go(struct proxy *proxy)
{
    for (int i = 0; i < PROXY_PAIRS; i++) {
        struct proxy_pair *pair = &proxy->pairs[i];
        if (proxy->release == RELEASE_CUT)
            pair_end(pair);
        if (!pair->stalled)
            continue;
        send_all(pair->fd[pair->stalled == 1 + PROXY_REQUEST], pair->held, pair->nheld);
        free(pair->held);
        pair->held = NULL;
        pair->nheld = 0;
        pair->stalled = 0;
    }
    proxy->release = 0;
    pthread_cond_broadcast(&proxy->done);
}

/* ---- the thread ---- */

static nfds_t gather(struct proxy *proxy, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = proxy->wake[0], .events = POLLIN};
    fds[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (int i = 0; i < PROXY_PAIRS; i++) {
        const struct proxy_pair *pair = &proxy->pairs[i];
        for (int side = 0; side < 2; side++) {
            int quiet = pair->stalled == 1 + side;
            fds[2 + 2 * i + side] =
                (struct pollfd){.fd = quiet ? -1 : pair->fd[side], .events = POLLIN};
        }
    }
    return 2 + 2 * PROXY_PAIRS;
}

static void handle(struct proxy *proxy, const struct pollfd *fds)
{
    char byte;
    if (fds[0].revents && read(proxy->wake[0], &byte, 1) < 0)
        abort();
    if (proxy->release)
        let_go(proxy);
    for (int i = 0; i < PROXY_PAIRS; i++) {
        struct proxy_pair *pair = &proxy->pairs[i];
        for (int side = 0; side < 2; side++) {
            const struct pollfd *one = &fds[2 + 2 * i + side];
            if (one->revents && pair->fd[side] == one->fd && pair->stalled != 1 + side)
                read_one(proxy, pair, (enum proxy_side)side);
        }
    }
    if (fds[1].revents)
        accept_one(proxy);
}

static void *run(void *user)
{
    struct proxy *proxy = user;
    struct pollfd fds[2 + 2 * PROXY_PAIRS];
    pthread_mutex_lock(&proxy->lock);
    while (!proxy->stop) {
        nfds_t n = gather(proxy, fds);
        pthread_mutex_unlock(&proxy->lock);
        int ready = poll(fds, n, -1);
        pthread_mutex_lock(&proxy->lock);
        if (ready > 0)
            handle(proxy, fds);
    }
    for (int i = 0; i < PROXY_PAIRS; i++)
        pair_end(&proxy->pairs[i]);
    pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

/* ---- for the test ---- */

static void wake(struct proxy *proxy)
{
    if (write(proxy->wake[1], "", 1) != 1)
        abort();
}

int proxy_start(struct proxy *proxy, const char *listens, const char *server)
{
    memset(proxy, 0, sizeof(*proxy));
    snprintf(proxy->listens, sizeof(proxy->listens), "%s", listens);
    snprintf(proxy->server, sizeof(proxy->server), "%s", server);
    for (int i = 0; i < PROXY_PAIRS; i++)
        proxy->pairs[i].fd[0] = proxy->pairs[i].fd[1] = -1;
    pthread_mutex_init(&proxy->lock, NULL);
    pthread_cond_init(&proxy->done, NULL);
    proxy->listener = listen_at(listens);
    if (proxy->listener < 0 || pipe(proxy->wake) != 0)
        return -1;
    return pthread_create(&proxy->thread, NULL, run, proxy) == 0 ? 0 : -1;
}

void proxy_stop(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->stop = 1;
    pthread_mutex_unlock(&proxy->lock);
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    close(proxy->wake[0]);
    close(proxy->wake[1]);
    unlink(proxy->listens);
    pthread_mutex_destroy(&proxy->lock);
    pthread_cond_destroy(&proxy->done);
}

void proxy_set(struct proxy *proxy, enum proxy_harm harm, enum proxy_side side, uint64_t at)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->harm = harm;
    proxy->side = side;
    proxy->at = at;
    proxy->fired = 0;
    proxy->passed[0] = proxy->passed[1] = 0;
    pthread_mutex_unlock(&proxy->lock);
}

uint64_t proxy_passed(struct proxy *proxy, enum proxy_side side)
{
    pthread_mutex_lock(&proxy->lock);
    uint64_t passed = proxy->passed[side];
    pthread_mutex_unlock(&proxy->lock);
    return passed;
}

int proxy_fired(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    int fired = proxy->fired;
    pthread_mutex_unlock(&proxy->lock);
    return fired;
}

unsigned proxy_clients(struct proxy *proxy)
{
    unsigned n = 0;
    pthread_mutex_lock(&proxy->lock);
    for (int i = 0; i < PROXY_PAIRS; i++)
        n += proxy->pairs[i].fd[0] >= 0;
    pthread_mutex_unlock(&proxy->lock);
    return n;
}

static void ask(struct proxy *proxy, int what)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->release = what;
    wake(proxy);
    while (proxy->release)
        pthread_cond_wait(&proxy->done, &proxy->lock);
    pthread_mutex_unlock(&proxy->lock);
}

void proxy_release(struct proxy *proxy)
{
    ask(proxy, RELEASE_HELD);
}

void proxy_cut_all(struct proxy *proxy)
{
    ask(proxy, RELEASE_CUT);
}
