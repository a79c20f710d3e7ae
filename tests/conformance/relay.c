/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include "journal.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 16
#define KEPT_MAX (1u << 20) /* of one connection: what a server says to a few small questions */

enum { KEEP = 1, GIVE, CUT_REQUESTS, CUT_ANSWERS, ASK };

struct command {
    int what;
    uint64_t bytes;
};

/* A client's connection and the one made for it, by the side that is read from. */
struct pair {
    int fds[2];
    char *kept;
    size_t nkept;
};

struct state {
    struct sockaddr_storage server;
    socklen_t server_len;
    int listener, control;
    int keeping;
    int cutting; /* 1 + the side; 0: no */
    int cut;     /* it has happened */
    uint64_t left;
    struct pair pairs[PAIRS];
};

/* ------------------------------------------------------------------------------------------- */
/* In the relay's process                                                                      */
/* ------------------------------------------------------------------------------------------- */

static void end_pair(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        if (pair->fds[side] >= 0)
            close(pair->fds[side]);
        pair->fds[side] = -1;
    }
    free(pair->kept);
    pair->kept = NULL;
    pair->nkept = 0;
}

static void accept_one(struct state *state)
{
    int client = accept4(state->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = socket(state->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (client >= 0 && server >= 0 &&
        connect(server, (struct sockaddr *)&state->server, state->server_len) == 0) {
        for (int i = 0; i < PAIRS; i++) {
            if (state->pairs[i].fds[0] >= 0)
                continue;
            state->pairs[i].fds[RELAY_REQUESTS] = client;
            state->pairs[i].fds[RELAY_ANSWERS] = server;
            return;
        }
    }
    if (client >= 0)
        close(client);
    if (server >= 0)
        close(server);
}

/* Whoever has gone is seen when their side is read. */
static void send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void keep(struct pair *pair, const char *data, size_t len)
{
    char *kept = pair->nkept + len <= KEPT_MAX ? realloc(pair->kept, pair->nkept + len) : NULL;

    if (!kept) {
        end_pair(pair);
        return;
    }
    memcpy(kept + pair->nkept, data, len);
    pair->kept = kept;
    pair->nkept += len;
}

static void pass(struct state *state, struct pair *pair, int side, const char *data, size_t len)
{
    int cuts = state->cutting == 1 + side;

    if (state->keeping && side == RELAY_ANSWERS) {
        keep(pair, data, len);
    } else if (cuts && len >= state->left) {
        send_all(pair->fds[!side], data, (size_t)state->left);
        end_pair(pair);
        state->cutting = 0;
        state->cut = 1;
    } else {
        state->left -= cuts ? len : 0;
        send_all(pair->fds[!side], data, len);
    }
}

static void give(struct state *state)
{
    state->keeping = 0;
    for (int i = 0; i < PAIRS; i++) {
        struct pair *pair = &state->pairs[i];
        if (pair->nkept)
            send_all(pair->fds[RELAY_REQUESTS], pair->kept, pair->nkept);
        free(pair->kept);
        pair->kept = NULL;
        pair->nkept = 0;
    }
}

/* 0 when nobody commands any longer. */
static int obey(struct state *state)
{
    struct command command;
    int answer = state->cut;

    if (read(state->control, &command, sizeof(command)) != (ssize_t)sizeof(command))
        return 0;
    switch (command.what) {
    case KEEP:
        state->keeping = 1;
        break;
    case GIVE:
        give(state);
        break;
    case ASK:
        state->cutting = 0;
        break;
    default:
        state->cutting = command.what == CUT_REQUESTS ? 1 + RELAY_REQUESTS : 1 + RELAY_ANSWERS;
        state->left = command.bytes;
        state->cut = 0;
        break;
    }
    return write(state->control, &answer, sizeof(answer)) == (ssize_t)sizeof(answer);
}

static void read_pairs(struct state *state, const struct pollfd *fds)
{
    char data[65536];

    for (int i = 0; i < 2 * PAIRS; i++) {
        struct pair *pair = &state->pairs[i / 2];
        int side = i % 2;
        if (!fds[i].revents || pair->fds[side] != fds[i].fd)
            continue;
        ssize_t n = recv(pair->fds[side], data, sizeof(data), MSG_DONTWAIT);
        if (n > 0)
            pass(state, pair, side, data, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            end_pair(pair);
    }
}

_Noreturn static void be_relay(struct state *state)
{
    struct pollfd fds[2 + 2 * PAIRS];

    for (;;) {
        fds[0] = (struct pollfd){.fd = state->control, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = state->listener, .events = POLLIN};
        for (int i = 0; i < 2 * PAIRS; i++)
            fds[2 + i] = (struct pollfd){.fd = state->pairs[i / 2].fds[i % 2], .events = POLLIN};
        if (poll(fds, 2 + 2 * PAIRS, -1) < 0)
            continue;
        if (fds[0].revents && !obey(state))
            _exit(0);
        read_pairs(state, fds + 2);
        if (fds[1].revents)
            accept_one(state);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* Addresses                                                                                   */
/* ------------------------------------------------------------------------------------------- */

static int unix_address(struct sockaddr_storage *out, socklen_t *len, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)out;
    size_t size = strlen(path) + 1;

    memset(out, 0, sizeof(*out));
    address->sun_family = AF_UNIX;
    *len = sizeof(*address);
    if (size > sizeof(address->sun_path))
        return 0;
    memcpy(address->sun_path, path, size);
    return 1;
}

static int inet_address(
    struct sockaddr_storage *out, socklen_t *len, const char *host, int64_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char digits[16];

    snprintf(digits, sizeof(digits), "%lld", (long long)port);
    if (getaddrinfo(host, digits, &hints, &list) != 0)
        return 0;
    memset(out, 0, sizeof(*out));
    memcpy(out, list->ai_addr, list->ai_addrlen);
    *len = list->ai_addrlen;
    freeaddrinfo(list);
    return 1;
}

static int is_kind(const char *path, mode_t kind)
{
    struct stat info;

    return stat(path, &info) == 0 && (info.st_mode & S_IFMT) == kind;
}

/* The socket of a server: the path itself, or the one in that folder. Its file name, or NULL. */
static const char *find_socket(const char *path, char *out, size_t size)
{
    DIR *dir = is_kind(path, S_IFDIR) ? opendir(path) : NULL;
    const struct dirent *entry;

    snprintf(out, size, "%s", path);
    while (dir && (entry = readdir(dir))) {
        int len = snprintf(out, size, "%s/%s", path, entry->d_name);
        if (len > 0 && (size_t)len < size && is_kind(out, S_IFSOCK))
            break;
    }
    if (dir)
        closedir(dir);
    return is_kind(out, S_IFSOCK) ? strrchr(out, '/') + 1 : NULL;
}

int relay_fits(const struct relay_server *server)
{
    char socket_path[4096];

    return server->path ? find_socket(server->path, socket_path, sizeof(socket_path)) != NULL
                        : server->host && server->port;
}

/* Listens in place of the server, and says where. */
static int take_place(
    struct relay *relay, struct state *state, const struct relay_server *server, const char *folder)
{
    struct sockaddr_storage own;
    socklen_t len;
    char real[4096], path[4096];
    const char *name = server->path ? find_socket(server->path, real, sizeof(real)) : NULL;

    if (name) {
        /* What was a folder stays one. */
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (!unix_address(&state->server, &state->server_len, real) ||
            !unix_address(&own, &len, path))
            return 0;
        snprintf(
            relay->path, sizeof(relay->path), "%s", is_kind(server->path, S_IFDIR) ? folder : path);
    } else if (!inet_address(&state->server, &state->server_len, server->host, server->port) ||
               !inet_address(&own, &len, "127.0.0.1", 0)) {
        return 0;
    }
    state->listener = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (state->listener < 0 || bind(state->listener, (struct sockaddr *)&own, len) != 0 ||
        listen(state->listener, PAIRS) != 0)
        return 0;
    if (!name) {
        getsockname(state->listener, (struct sockaddr *)&own, &len);
        snprintf(relay->host, sizeof(relay->host), "127.0.0.1");
        relay->port = ntohs(((struct sockaddr_in *)&own)->sin_port);
    }
    return 1;
}

/* ------------------------------------------------------------------------------------------- */
/* In the check's process                                                                      */
/* ------------------------------------------------------------------------------------------- */

int relay_start(struct relay *relay, const struct relay_server *server, const char *folder)
{
    static struct state state;
    int ends[2];

    *relay = (struct relay){.pid = -1, .to = -1};
    memset(&state, 0, sizeof(state));
    state.listener = -1;
    for (int i = 0; i < PAIRS; i++)
        state.pairs[i].fds[0] = state.pairs[i].fds[1] = -1;
    if (take_place(relay, &state, server, folder) &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        relay->pid = fork();
        if (relay->pid == 0) {
            journal_leave();
            close(ends[0]);
            state.control = ends[1];
            be_relay(&state);
        }
        close(ends[1]);
        relay->to = ends[0];
    }
    if (state.listener >= 0)
        close(state.listener);
    return relay->pid > 0;
}

void relay_end(struct relay *relay)
{
    if (relay->to >= 0)
        close(relay->to);
    while (relay->pid > 0 && waitpid(relay->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *relay = (struct relay){.pid = -1, .to = -1};
}

static int command(struct relay *relay, int what, uint64_t bytes)
{
    struct command command;
    int answer = 0;

    memset(&command, 0, sizeof(command));
    command.what = what;
    command.bytes = bytes;
    if (write(relay->to, &command, sizeof(command)) != (ssize_t)sizeof(command) ||
        read(relay->to, &answer, sizeof(answer)) != (ssize_t)sizeof(answer)) {
        fprintf(stderr, "conformance: the relay has gone\n");
        exit(70);
    }
    return answer;
}

void relay_keep(struct relay *relay)
{
    command(relay, KEEP, 0);
    journal_add("answers are kept back");
}

void relay_give(struct relay *relay)
{
    command(relay, GIVE, 0);
    journal_add("the answers kept back are given");
}

void relay_cut(struct relay *relay, enum relay_side side, uint64_t bytes)
{
    command(relay, side == RELAY_REQUESTS ? CUT_REQUESTS : CUT_ANSWERS, bytes);
    journal_add("the connection ends after %llu bytes of %s", (unsigned long long)bytes,
        side == RELAY_REQUESTS ? "requests" : "answers");
}

int relay_has_cut(struct relay *relay)
{
    return command(relay, ASK, 0);
}
