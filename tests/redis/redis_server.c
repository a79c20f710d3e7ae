/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int server_is_there(void)
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

redisContext *server_talk(const struct server *server)
{
    return redisConnectUnix(server->socket);
}

static int answers(const struct server *server)
{
    redisContext *context = server_talk(server);
    redisReply *reply = context && !context->err ? redisCommand(context, "PING") : NULL;
    int fine = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply)
        freeReplyObject(reply);
    if (context)
        redisFree(context);
    return fine;
}

/* The one server that a test runs at a time, for tests that end early. */
static pid_t running;

static void end_running(void)
{
    if (running && kill(running, SIGKILL) == 0)
        waitpid(running, NULL, 0);
}

void server_restart(struct server *server)
{
    char *argv[] = {(char *)(uintptr_t) "redis-server", (char *)(uintptr_t) "--port",
        (char *)(uintptr_t) "0", (char *)(uintptr_t) "--unixsocket", server->socket,
        (char *)(uintptr_t) "--dir", server->folder, (char *)(uintptr_t) "--save",
        (char *)(uintptr_t) "", (char *)(uintptr_t) "--appendonly",
        (char *)(uintptr_t)(server->aof ? "yes" : "no"), (char *)(uintptr_t) "--appendfsync",
        (char *)(uintptr_t) "always", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    assert_int_equal(posix_spawnp(&server->pid, "redis-server", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    end_running();
    static int registered;
    if (!registered)
        registered = atexit(end_running) == 0;
    running = server->pid;
    int64_t end = now_ms() + 60000;
    struct timespec pause = {0, 10000000};
    while (!answers(server)) {
        assert_true(now_ms() < end);
        nanosleep(&pause, NULL);
    }
}

void server_start(struct server *server, int aof)
{
    memset(server, 0, sizeof(*server));
    server->aof = aof;
    scratch_make_in_memory(server->folder);
    snprintf(server->socket, sizeof(server->socket), "%s/s", server->folder);
    server_restart(server);
}

void server_kill(struct server *server)
{
    if (!server->pid)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = running = 0;
}

void server_remove(struct server *server)
{
    server_kill(server);
    scratch_remove(server->folder);
}
