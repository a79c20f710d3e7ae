/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/herald.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd; /* -1: none */
    int subscribed;
    unsigned owed; /* answers */
};

static void say(const struct client *client, const char *text)
{
    if (send(client->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        return; /* it has gone; the next look finds out */
}

static void tell(const struct client *client, int port)
{
    char text[80], digits[12];
    snprintf(digits, sizeof(digits), "%d", port);
    snprintf(text, sizeof(text), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(digits), digits);
    say(client, text);
}

static void tell_owed(struct client *client, int port)
{
    for (; client->owed; client->owed--)
        tell(client, port);
}

static void publish(const struct client *client, const struct herald *herald)
{
    char text[160], body[80];
    snprintf(body, sizeof(body), "%cain 127.0.0.1 1 127.0.0.1 %d", herald->named, herald->publish);
    snprintf(text, sizeof(text), "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
        strlen(body), body);
    say(client, text);
}

/* A request comes as it was sent: in one piece, for it is short. */
static void hear(struct herald *herald, struct client *client)
{
    char text[512];
    ssize_t n = recv(client->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (n <= 0) {
        close(client->fd);
        *client = (struct client){.fd = -1};
        return;
    }
    text[n] = 0;
    if (strstr(text, "SUBSCRIBE")) {
        client->subscribed = 1;
        herald->subscribed++;
        say(client, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n");
    } else if (strstr(text, "get-master-addr-by-name")) {
        herald->asked++;
        client->owed++;
        if (!herald->mute)
            tell_owed(client, herald->tells);
    }
}

static void welcome(struct herald *herald, struct client *clients)
{
    int fd = accept4(herald->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; i < HERALD_CLIENTS && fd >= 0; i++) {
        if (clients[i].fd >= 0)
            continue;
        clients[i] = (struct client){.fd = fd};
        herald->connections++;
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void drain(const struct herald *herald)
{
    char bytes[64];
    if (read(herald->wake[0], bytes, sizeof(bytes)) < 0)
        abort();
}

/* With the lock held. */
static void look(struct herald *herald, struct client *clients, const struct pollfd *fds)
{
    if (fds[0].revents)
        drain(herald);
    for (int i = 0; i < HERALD_CLIENTS && !herald->hangs; i++) {
        if (fds[2 + i].revents && clients[i].fd >= 0)
            hear(herald, &clients[i]);
        if (herald->publish && clients[i].fd >= 0 && clients[i].subscribed)
            publish(&clients[i], herald);
        if (herald->late)
            tell_owed(&clients[i], herald->late);
    }
    herald->publish = 0;
    herald->late = 0;
    if (fds[1].revents && !herald->hangs)
        welcome(herald, clients);
}

static void *run(void *user)
{
    struct herald *herald = user;
    struct client clients[HERALD_CLIENTS];
    struct pollfd fds[2 + HERALD_CLIENTS];
    for (int i = 0; i < HERALD_CLIENTS; i++)
        clients[i] = (struct client){.fd = -1};
    pthread_mutex_lock(&herald->lock);
    while (!herald->stop) {
        int deaf = herald->hangs;
        fds[0] = (struct pollfd){.fd = herald->wake[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = deaf ? -1 : herald->listener, .events = POLLIN};
        for (int i = 0; i < HERALD_CLIENTS; i++)
            fds[2 + i] = (struct pollfd){.fd = deaf ? -1 : clients[i].fd, .events = POLLIN};
        pthread_mutex_unlock(&herald->lock);
        int n = poll(fds, 2 + HERALD_CLIENTS, -1);
        pthread_mutex_lock(&herald->lock);
        if (n > 0)
            look(herald, clients, fds);
    }
    pthread_mutex_unlock(&herald->lock);
    for (int i = 0; i < HERALD_CLIENTS; i++) {
        if (clients[i].fd >= 0)
            close(clients[i].fd);
    }
    return NULL;
}

void herald_start(struct herald *herald, int tells)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    memset(herald, 0, sizeof(*herald));
    herald->tells = tells;
    herald->named = 'm';
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    herald->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(herald->listener >= 0);
    assert_int_equal(bind(herald->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(herald->listener, 16), 0);
    assert_int_equal(getsockname(herald->listener, (struct sockaddr *)&address, &size), 0);
    herald->port = ntohs(address.sin_port);
    assert_int_equal(pipe(herald->wake), 0);
    assert_int_equal(pthread_mutex_init(&herald->lock, NULL), 0);
    assert_int_equal(pthread_create(&herald->thread, NULL, run, herald), 0);
}

void herald_set(struct herald *herald, int *member, int value)
{
    pthread_mutex_lock(&herald->lock);
    *member = value;
    pthread_mutex_unlock(&herald->lock);
    assert_int_equal(write(herald->wake[1], "", 1), 1);
}

unsigned herald_get(struct herald *herald, const unsigned *member)
{
    pthread_mutex_lock(&herald->lock);
    unsigned value = *member;
    pthread_mutex_unlock(&herald->lock);
    return value;
}

void herald_stop(struct herald *herald)
{
    herald_set(herald, &herald->stop, 1);
    pthread_join(herald->thread, NULL);
    close(herald->listener);
    close(herald->wake[0]);
    close(herald->wake[1]);
    pthread_mutex_destroy(&herald->lock);
}
