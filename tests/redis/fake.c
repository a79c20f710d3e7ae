/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/fake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM ((size_t)1024 * 1024)
#define CLIENTS 4
#define DIGEST "0123456789012345678901234567890123456789"

/* What a sound server says; commands that are not here hear +OK. */
static const struct {
    const char *word, *bytes;
} sound[] = {
    {"CLIENT", ":7\r\n"},
    {"INFO", "$113\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n"
             "maxmemory_policy:noeviction\r\nloading:0\r\naof_enabled:1\r\n\r\n"},
    {"CONFIG", "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n"},
    {"GET", "$1\r\n2\r\n"},
    {"SCRIPT", "$40\r\n" DIGEST "\r\n"},
    {"SADD", ":1\r\n"},
    {"SMEMBERS", "*1\r\n$1\r\nq\r\n"},
    {"EVALSHA", "-ERR this one carries out no scripts\r\n"},
};

/* ---- requests ---- */

/* A number after `kind`, and where its line ends; NULL if it is not all there. */
static const char *read_count(const char *at, const char *end, char kind, size_t *count)
{
    const char *line = memchr(at, '\n', (size_t)(end - at));
    if (!line || *at != kind)
        return NULL;
    *count = strtoul(at + 1, NULL, 10);
    return line + 1;
}

/* The length of the first whole request, and its first word; 0 if there is none. */
static size_t read_request(const char *data, size_t len, char word[16])
{
    const char *end = data + len;
    size_t words = 0, size = 0;
    const char *at = len ? read_count(data, end, '*', &words) : NULL;
    for (size_t i = 0; at && i < words; i++) {
        at = at < end ? read_count(at, end, '$', &size) : NULL;
        if (!at || size + 2 > (size_t)(end - at))
            return 0;
        if (i == 0)
            snprintf(word, 16, "%.*s", (int)size, at);
        at += size + 2;
    }
    return at ? (size_t)(at - data) : 0;
}

/* ---- answers ---- */

static int send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return 0;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 1;
}

/* What the answer to `word` is; the lock is held. */
static struct fake_answer choose(struct fake *fake, const char *word)
{
    const struct fake_answer *told = &fake->answer;
    if (told->bytes && (!told->word || strcmp(told->word, word) == 0) &&
        (!told->times || fake->given < told->times)) {
        fake->given++;
        return *told;
    }
    struct fake_answer usual = {.bytes = "+OK\r\n", .len = 5};
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        if (strcmp(sound[i].word, word) == 0)
            usual.bytes = sound[i].bytes;
    }
    usual.len = strlen(usual.bytes);
    return usual;
}

struct client {
    int fd; /* -1: none */
    int silent;
    char *data;
    size_t len;
};

static void hang_up(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->len = 0;
    client->silent = 0;
}

static void answer_all(struct fake *fake, struct client *client)
{
    char word[16] = "";
    size_t used = 0, len;
    while (client->fd >= 0 && !client->silent &&
           (len = read_request(client->data + used, client->len - used, word)) > 0) {
        pthread_mutex_lock(&fake->lock);
        struct fake_answer answer = choose(fake, word);
        int sent = send_all(client->fd, answer.bytes, answer.len);
        pthread_mutex_unlock(&fake->lock);
        used += len;
        client->silent = answer.then == FAKE_SILENT;
        if (!sent || answer.then == FAKE_END)
            hang_up(client);
    }
    if (client->len > used)
        memmove(client->data, client->data + used, client->len - used);
    client->len = client->len > used ? client->len - used : 0;
}

static void hear(struct fake *fake, struct client *client)
{
    ssize_t n = recv(client->fd, client->data + client->len, ROOM - client->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(client);
        return;
    }
    client->len += (size_t)n;
    answer_all(fake, client);
}

/* ---- the thread ---- */

static int stopped(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    int stop = fake->stop;
    pthread_mutex_unlock(&fake->lock);
    return stop;
}

/* A connection too many takes the place of the first. */
static void welcome(struct fake *fake, struct client *clients)
{
    struct client *place = clients;
    for (int i = CLIENTS - 1; i >= 0; i--)
        place = clients[i].fd < 0 ? &clients[i] : place;
    hang_up(place);
    place->fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
    pthread_mutex_lock(&fake->lock);
    fake->connections++;
    pthread_mutex_unlock(&fake->lock);
}

static void *run(void *user)
{
    struct fake *fake = user;
    struct client clients[CLIENTS];
    struct pollfd fds[2 + CLIENTS] = {
        {.fd = fake->wake[0], .events = POLLIN}, {.fd = fake->listener, .events = POLLIN}};
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.fd = -1, .data = malloc(ROOM)};
        if (!clients[i].data)
            abort();
    }
    while (!stopped(fake)) {
        for (int i = 0; i < CLIENTS; i++)
            fds[2 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (poll(fds, 2 + CLIENTS, -1) <= 0)
            continue;
        for (int i = 0; i < CLIENTS; i++) {
            if (fds[2 + i].revents)
                hear(fake, &clients[i]);
        }
        if (fds[1].revents)
            welcome(fake, clients);
    }
    for (int i = 0; i < CLIENTS; i++) {
        hang_up(&clients[i]);
        free(clients[i].data);
    }
    return NULL;
}

/* ---- for the test ---- */

int fake_start(struct fake *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(fake, 0, sizeof(*fake));
    scratch_make(fake->folder);
    snprintf(fake->path, sizeof(fake->path), "%s/s", fake->folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
    pthread_mutex_init(&fake->lock, NULL);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fake->listener < 0 ||
        bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fake->listener, 16) != 0 || pipe(fake->wake) != 0)
        return -1;
    return pthread_create(&fake->thread, NULL, run, fake) == 0 ? 0 : -1;
}

void fake_stop(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->stop = 1;
    pthread_mutex_unlock(&fake->lock);
    if (write(fake->wake[1], "", 1) != 1)
        abort();
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    close(fake->wake[0]);
    close(fake->wake[1]);
    scratch_remove(fake->folder);
    pthread_mutex_destroy(&fake->lock);
}

void fake_set(struct fake *fake, const struct fake_answer *answer)
{
    if (answer->len > FAKE_BYTES)
        abort();
    pthread_mutex_lock(&fake->lock);
    fake->answer = *answer;
    if (answer->bytes) {
        memcpy(fake->bytes, answer->bytes, answer->len);
        fake->answer.bytes = fake->bytes;
    }
    fake->given = 0;
    pthread_mutex_unlock(&fake->lock);
}

unsigned fake_given(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    unsigned given = fake->given;
    pthread_mutex_unlock(&fake->lock);
    return given;
}

unsigned fake_connections(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    unsigned connections = fake->connections;
    pthread_mutex_unlock(&fake->lock);
    return connections;
}
