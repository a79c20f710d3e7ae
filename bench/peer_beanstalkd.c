/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beanstalkd, a work queue in a process of its own, with its log synced for every job (-b FOLDER
 * -f 0), on a free port of this machine. It knows no batches: 100 jobs are handed in as 100
 * commands in one write, and a worker asks for the next job with the same write that ends the last
 * one, so that nobody waits for the network more than need be. One connection a dispatcher and an
 * executor. The commands are those of its doc/protocol.txt.
 */
#include "crowd.h"
#include "peers.h"
#include "stopwatch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "beanstalkd"
#define BATCH_MAX 1000u
#define CLIENTS 16u
#define LINE 256u
#define START_MS 5000

struct client {
    int fd;
    int busy;
    struct tally *tally;
    size_t len, at; /* in the buffer: read, and used */
    char buffer[4096];
};

struct server {
    pid_t pid;
    uint16_t port;
    pthread_mutex_t mutex; /* over the connections of dispatchers */
    struct client clients[CLIENTS];
    struct client workers[CLIENTS];
    pthread_t threads[CLIENTS];
    unsigned nworkers;
    struct tally tally;
    char commands[BATCH_MAX * (LINE + PEER_PAYLOAD_LEN)]; /* puts, one after another */
    size_t command_len;                                   /* of each */
};

static int complain(const char *what)
{
    fprintf(stderr, "dray-bench: " PROGRAM ": %s (%s)\n", what, strerror(errno));
    return -1;
}

/* ------------------------------------------------------------------------------------------- */
/* Connections                                                                                 */
/* ------------------------------------------------------------------------------------------- */

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = address_of(port);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int next_byte(struct client *client)
{
    if (client->at == client->len) {
        ssize_t n;
        do
            n = recv(client->fd, client->buffer, sizeof(client->buffer), 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return -1;
        client->len = (size_t)n;
        client->at = 0;
    }
    return (unsigned char)client->buffer[client->at++];
}

/* One line without its end. -1 if the connection is over. */
static int read_line(struct client *client, char line[LINE])
{
    size_t len = 0;
    for (;;) {
        int c = next_byte(client);
        if (c < 0 || len == LINE - 1)
            return -1;
        if (c == '\n')
            break;
        line[len++] = (char)c;
    }
    line[len && line[len - 1] == '\r' ? len - 1 : len] = 0;
    return 0;
}

static int expect(struct client *client, const char *word)
{
    char line[LINE];
    if (read_line(client, line) != 0)
        return -1;
    if (strncmp(line, word, strlen(word)) == 0)
        return 0;
    fprintf(stderr, "dray-bench: " PROGRAM " answered %s, not %s\n", line, word);
    errno = EPROTO;
    return -1;
}

/* ------------------------------------------------------------------------------------------- */
/* The server                                                                                  */
/* ------------------------------------------------------------------------------------------- */

int beanstalkd_is_there(void)
{
    const char *path = getenv("PATH");
    char program[4096];
    for (; path && *path; path += strcspn(path, ":"), path += *path == ':') {
        int n = snprintf(program, sizeof(program), "%.*s/" PROGRAM, (int)strcspn(path, ":"), path);
        if (n > 0 && (size_t)n < sizeof(program) && access(program, X_OK) == 0)
            return 1;
    }
    return 0;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static int run_program(struct server *server, const char *folder)
{
    char port[8];
    pid_t parent = getpid();
    snprintf(port, sizeof(port), "%u", (unsigned)server->port);
    server->pid = fork();
    if (server->pid < 0)
        return complain("cannot be started");
    if (server->pid > 0)
        return 0;
    /* It goes when the benchmark is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* What it says about connections that are cut off is no news. */
    int nowhere = open("/dev/null", O_WRONLY);
    if (getppid() == parent && dup2(nowhere, STDERR_FILENO) >= 0)
        execlp(
            PROGRAM, PROGRAM, "-l", "127.0.0.1", "-p", port, "-b", folder, "-f", "0", (char *)NULL);
    _exit(127);
}

static int wait_for_it(struct server *server)
{
    const struct timespec nap = {.tv_nsec = 10000000};
    for (int waited = 0; waited < START_MS; waited += 10) {
        int fd = connect_to(server->port);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            break;
        nanosleep(&nap, NULL);
    }
    return complain("does not answer");
}

static void server_close(struct server *server)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (server->clients[i].fd >= 0)
            close(server->clients[i].fd);
        if (server->workers[i].fd >= 0)
            close(server->workers[i].fd);
    }
    if (server->pid > 0) {
        kill(server->pid, SIGTERM);
        while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    tally_done(&server->tally);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

static void write_commands(struct server *server)
{
    char *at = server->commands;
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        int n = snprintf(at, LINE + PEER_PAYLOAD_LEN, "put 5 0 120 %u\r\n%s\r\n", PEER_PAYLOAD_LEN,
            peer_payload);
        server->command_len = (size_t)n;
        at += n;
    }
}

static struct server *server_open(const struct load *load)
{
    static unsigned number;
    char folder[4096];
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    for (unsigned i = 0; i < CLIENTS; i++)
        server->clients[i].fd = server->workers[i].fd = -1;
    pthread_mutex_init(&server->mutex, NULL);
    tally_init(&server->tally);
    write_commands(server);
    server->port = free_port();
    snprintf(folder, sizeof(folder), "%s/" PROGRAM "-%u", load->folder, ++number);
    if (server->port && mkdir(folder, 0700) == 0 && run_program(server, folder) == 0 &&
        wait_for_it(server) == 0)
        return server;
    server_close(server);
    return NULL;
}

/* ------------------------------------------------------------------------------------------- */
/* Dispatchers and workers                                                                     */
/* ------------------------------------------------------------------------------------------- */

static struct client *take_client(struct server *server)
{
    struct client *found = NULL;
    pthread_mutex_lock(&server->mutex);
    for (unsigned i = 0; i < CLIENTS && !found; i++) {
        if (!server->clients[i].busy)
            found = &server->clients[i];
    }
    if (found)
        found->busy = 1;
    pthread_mutex_unlock(&server->mutex);
    if (found && found->fd < 0)
        found->fd = connect_to(server->port);
    return found && found->fd >= 0 ? found : NULL;
}

static int put(void *arg, unsigned n)
{
    struct server *server = arg;
    struct client *client = n <= BATCH_MAX ? take_client(server) : NULL;
    if (!client)
        return complain("cannot be connected to");
    int rc = send_all(client->fd, server->commands, n * server->command_len);
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = expect(client, "INSERTED ");
    pthread_mutex_lock(&server->mutex);
    client->busy = 0;
    pthread_mutex_unlock(&server->mutex);
    return rc == 0 ? 0 : complain("a put failed");
}

/* The next job: its line and its payload. */
static int take_job(struct client *client, char line[LINE])
{
    char payload[LINE];
    if (read_line(client, line) != 0)
        return -1;
    if (strncmp(line, "RESERVED ", 9) != 0)
        return -1;
    return read_line(client, payload);
}

static int work(struct client *client)
{
    char line[LINE], command[LINE];
    if (send_all(client->fd, "reserve\r\n", 9) != 0)
        return -1;
    for (;;) {
        if (take_job(client, line) != 0)
            return -1;
        tally_hit(client->tally);
        int n = snprintf(command, sizeof(command), "delete %.*s\r\nreserve\r\n",
            (int)strcspn(line + 9, " "), line + 9);
        if (send_all(client->fd, command, (size_t)n) != 0 || expect(client, "DELETED") != 0)
            return -1;
    }
}

static void *worker_main(void *arg)
{
    struct client *client = arg;
    work(client);
    return NULL;
}

static int start_workers(struct server *server, unsigned n)
{
    for (unsigned i = 0; i < n && i < CLIENTS; i++) {
        server->workers[i].fd = connect_to(server->port);
        server->workers[i].tally = &server->tally;
        if (server->workers[i].fd < 0 ||
            pthread_create(&server->threads[i], NULL, worker_main, &server->workers[i]) != 0)
            return complain("a worker cannot be started");
        server->nworkers++;
    }
    return 0;
}

/* Their connections are cut: each waits for a job that will not come. */
static void stop_workers(struct server *server)
{
    for (unsigned i = 0; i < server->nworkers; i++)
        shutdown(server->workers[i].fd, SHUT_RDWR);
    for (unsigned i = 0; i < server->nworkers; i++)
        pthread_join(server->threads[i], NULL);
}

/* ------------------------------------------------------------------------------------------- */
/* Runs                                                                                        */
/* ------------------------------------------------------------------------------------------- */

static int beanstalkd_dispatch(const struct load *load, struct sample *out)
{
    struct server *server = server_open(load);
    if (!server)
        return -1;
    struct handed_in in;
    int rc = crowd_dispatch(load, put, server, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->values[1] = -1;                      /* another process did most of the work */
    out->dispatched = out->handled = in.jobs; /* each was answered */
    server_close(server);
    return rc;
}

/* `backlog`: hand everything in before the clock and the workers start. */
static int run_workers(const struct load *load, struct sample *out, int backlog)
{
    struct server *server = server_open(load);
    if (!server)
        return -1;
    struct handed_in in = {.jobs = 0};
    int rc = backlog ? crowd_dispatch(load, put, server, &in) : 0;
    struct lap begin = stopwatch_start();
    if (rc == 0)
        rc = start_workers(server, load->executors);
    if (rc == 0 && !backlog)
        rc = crowd_dispatch(load, put, server, &in);
    if (rc == 0)
        rc = tally_wait(&server->tally, in.jobs);
    struct lap spent = stopwatch_since(&begin);
    stopwatch_rates(out->values, in.jobs, &spent);
    out->values[1] = -1;
    out->dispatched = in.jobs;
    /* A worker that is cut off before its last delete gives that job to another one. */
    out->handled = atomic_load(&server->tally.handled);
    stop_workers(server);
    server_close(server);
    return rc;
}

static int beanstalkd_end_to_end(const struct load *load, struct sample *out)
{
    return run_workers(load, out, 0);
}

static int beanstalkd_drain(const struct load *load, struct sample *out)
{
    return run_workers(load, out, 1);
}

const struct peer peer_beanstalkd = {
    .name = PROGRAM,
    .dispatch = beanstalkd_dispatch,
    .end_to_end = beanstalkd_end_to_end,
    .drain = beanstalkd_drain,
};
