/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAP_MS 5

int64_t fleet_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void fleet_nap(void)
{
    struct timespec ts = {0, NAP_MS * 1000000};
    nanosleep(&ts, NULL);
}

/* ---- one process ---- */

int redis_is_there(void)
{
    char path[512];
    const char *folders = getenv("PATH");
    for (const char *at = folders; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        snprintf(path, sizeof(path), "%.*s/redis-server", (int)strcspn(at, ":"), at);
        if (access(path, X_OK) == 0)
            return 1;
    }
    return 0;
}

/* Ports that the system chooses are also what it gives to clients, of other tests too. One that a
   socket with SO_REUSEADDR is bound to, and does not listen on, is given to nobody; a server that
   sets that option as well, as redis does, can have it all the same. */
static void take_port(struct node *node)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    node->keeps_port = fd;
    node->port = ntohs(address.sin_port);
}

static redisContext *talk(const struct node *node)
{
    struct timeval patience = {20, 0};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", node->port, patience);
    if (context && !context->err && redisSetTimeout(context, patience) == REDIS_OK)
        return context;
    if (context)
        redisFree(context);
    return NULL;
}

redisReply *node_ask(const struct node *node, const char *format, ...)
{
    va_list args;
    redisContext *context = talk(node);
    assert_non_null(context);
    va_start(args, format);
    redisReply *reply = redisvCommand(context, format, args);
    va_end(args);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply ? reply->str : context->errstr);
    redisFree(context);
    return reply;
}

static int holds(const redisReply *reply, const char *piece)
{
    if (reply->str && strstr(reply->str, piece))
        return 1;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (holds(reply->element[i], piece))
            return 1;
    }
    return 0;
}

int node_says(const struct node *node, const char *command, const char *piece)
{
    redisContext *context = node->pid ? talk(node) : NULL;
    redisReply *reply = context ? redisCommand(context, command) : NULL;
    int found = reply && holds(reply, piece);
    if (reply)
        freeReplyObject(reply);
    if (context)
        redisFree(context);
    return found;
}

void node_restart(struct node *node)
{
    char conf[96];
    pid_t parent = getpid();
    snprintf(conf, sizeof(conf), "%s/conf", node->folder);
    node->pid = fork();
    assert_true(node->pid >= 0);
    if (node->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        int null = open("/dev/null", O_WRONLY);
        if (getppid() == parent && null >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0)
            execlp("redis-server", "redis-server", conf, node->is_sentinel ? "--sentinel" : NULL,
                (char *)NULL);
        _exit(127);
    }
    WAIT_FOR(node_says(node, "PING", "PONG"));
}

void node_start(struct node *node, int is_sentinel, const char *lines)
{
    char path[96];
    memset(node, 0, sizeof(*node));
    node->is_sentinel = is_sentinel;
    take_port(node);
    scratch_make_in_memory(node->folder);
    snprintf(path, sizeof(path), "%s/conf", node->folder);
    FILE *conf = fopen(path, "w");
    assert_non_null(conf);
    fprintf(conf, "port %d\nbind 127.0.0.1\ndir %s\n%s", node->port, node->folder,
        is_sentinel ? "" : "save \"\"\nrepl-diskless-sync-delay 0\n");
    fputs(lines, conf);
    assert_int_equal(fclose(conf), 0);
    node_restart(node);
}

void node_kill(struct node *node)
{
    if (!node->pid)
        return;
    kill(node->pid, SIGKILL);
    waitpid(node->pid, NULL, 0);
    node->pid = 0;
}

void node_remove(struct node *node)
{
    node_kill(node);
    scratch_remove(node->folder);
    close(node->keeps_port);
}

/* ---- all of them ---- */

int fleet_is_ready(const struct fleet *fleet, int master)
{
    const struct node *replica = &fleet->servers[!master];
    if (!node_says(replica, "INFO replication", "master_link_status:up"))
        return 0;
    char slave[32];
    snprintf(slave, sizeof(slave), "127.0.0.1:%d", replica->port);
    for (int i = 0; i < FLEET_SENTINELS; i++) {
        const struct node *sentinel = &fleet->sentinels[i];
        if (!node_says(sentinel, "SENTINEL ckquorum " FLEET_MASTER, "OK 3 usable") ||
            !node_says(sentinel, "SENTINEL replicas " FLEET_MASTER, slave) ||
            node_says(sentinel, "SENTINEL replicas " FLEET_MASTER, "s_down"))
            return 0;
    }
    return 1;
}

void fleet_start(struct fleet *fleet)
{
    char lines[400];
    node_start(&fleet->servers[0], 0, "");
    snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %d\n", fleet->servers[0].port);
    node_start(&fleet->servers[1], 0, lines);
    WAIT_FOR(node_says(&fleet->servers[1], "INFO replication", "master_link_status:up"));
    snprintf(lines, sizeof(lines),
        "sentinel monitor " FLEET_MASTER " 127.0.0.1 %d 2\n"
        "sentinel down-after-milliseconds " FLEET_MASTER " 1000\n"
        "sentinel failover-timeout " FLEET_MASTER " 2500\n",
        fleet->servers[0].port);
    for (int i = 0; i < FLEET_SENTINELS; i++)
        node_start(&fleet->sentinels[i], 1, lines);
    WAIT_FOR(fleet_is_ready(fleet, 0));
}

void fleet_remove(struct fleet *fleet)
{
    for (int i = 0; i < FLEET_SENTINELS; i++)
        node_remove(&fleet->sentinels[i]);
    for (int i = 0; i < 2; i++)
        node_remove(&fleet->servers[i]);
}
