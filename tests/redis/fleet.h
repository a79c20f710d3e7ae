/* SPDX-License-Identifier: Apache-2.0 */
/* Real servers and sentinels on free ports of loopback. They end with the test's process. */
#ifndef TESTS_REDIS_FLEET_H
#define TESTS_REDIS_FLEET_H

#include "scratch.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLEET_SENTINELS 3
#define FLEET_MASTER "main" /* the name by which the sentinels know it */

/* Nonzero if redis-server is installed. */
int redis_is_there(void);

struct node {
    pid_t pid; /* 0: not running */
    int port;
    int keeps_port; /* a socket that lends the port to nobody else, even while nothing runs */
    int is_sentinel;
    char folder[SCRATCH_SIZE];
};

/* A server, with more of redis.conf in `lines` ("" for none), or a sentinel, on a free port.
   Answers before the function returns. */
void node_start(struct node *node, int is_sentinel, const char *lines);
/* Again, with its folder and its port. */
void node_restart(struct node *node);
void node_kill(struct node *node); /* SIGKILL */
void node_remove(struct node *node);

/* One command to a server that must answer and not refuse; the caller frees the reply. */
redisReply *node_ask(const struct node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Nonzero if the text of the answer to `command` holds `piece`. No answer: 0. */
int node_says(const struct node *node, const char *command, const char *piece);

/* A master, its replica and sentinels that agree on both. */
struct fleet {
    struct node servers[2]; /* the first is the master at the beginning */
    struct node sentinels[FLEET_SENTINELS];
};
void fleet_start(struct fleet *fleet);
void fleet_remove(struct fleet *fleet);
/* The replica follows the master, and every sentinel knows that both are fine. */
int fleet_is_ready(const struct fleet *fleet, int master);

int64_t fleet_ms(void);
void fleet_nap(void); /* between two looks at a condition */

/* Polls until `condition` holds; ends the test if it does not within a minute. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        int64_t end_ = fleet_ms() + 60000;                                                         \
        while (!(condition)) {                                                                     \
            if (fleet_ms() > end_)                                                                 \
                fail_msg("%s never came true", #condition);                                        \
            fleet_nap();                                                                           \
        }                                                                                          \
    } while (0)

#endif
