/* SPDX-License-Identifier: Apache-2.0 */
/* A real server in a folder of its own, on a unix socket there. Failures end the test. */
#ifndef TESTS_REDIS_REDIS_SERVER_H
#define TESTS_REDIS_REDIS_SERVER_H

#include "scratch.h"

#include <hiredis/hiredis.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: not running */
    int aof;   /* appendonly yes, appendfsync always */
    char folder[SCRATCH_SIZE];
    char socket[96];
};

/* Nonzero if redis-server is installed. */
int server_is_there(void);
void server_start(struct server *server, int aof);
/* Again in the same folder, after server_kill. */
void server_restart(struct server *server);
void server_kill(struct server *server); /* SIGKILL */
void server_remove(struct server *server);
/* A connection of the test's own. */
redisContext *server_talk(const struct server *server);

#endif
