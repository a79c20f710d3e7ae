/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes on a real server of their own, and which of the driver's scripts each takes. One at a
 * time; failures end the test.
 */
#ifndef TESTS_REDIS_WAYS_H
#define TESTS_REDIS_WAYS_H

#include "redis/redis_server.h"
#include "redis/rig.h"

#define WAYS_MOST 1000 /* jobs in a push */

struct ways {
    struct server server;
    struct rig rig;    /* pushes */
    redisContext *own; /* looks */
};

extern struct ways ways;

/* A group, its answers, and the jobs that it is made of. */
struct batch {
    struct dray_push push;
    struct dray_job jobs[WAYS_MOST + 1];
    const struct dray_job *list[WAYS_MOST + 1];
    int32_t answers[WAYS_MOST + 1];
    char ids[WAYS_MOST + 1][DRAY_NAME_MAX + 1];
};

/* A server on which the queue "q" is known and empty. */
void ways_start(void);
void ways_end(void);

/* A command of the test's own. The caller frees the answer, which is no error. */
DRAY_PRINTF(1, 2) redisReply *ways_ask(const char *fmt, ...);
DRAY_PRINTF(1, 2) void ways_say(const char *fmt, ...);
/* Its answer as a number; -1 if it is none. */
long long ways_number(const char *command);

/* Which scripts were called since the last time, in their order: a append, p plain, t turn, l one
   that was loaded. `what`: the case, for messages. */
void ways_expect(const char *what, const char *expected);
/* Forgets what was called. */
void ways_forget(void);

/* `n` plain jobs of a queue, their ids beginning with `id`; the texts stay the caller's. */
struct dray_push *ways_fill(struct batch *b, const char *queue, const char *id, uint32_t n);
/* Pushes it; the driver's answer. */
int32_t ways_send(struct batch *b);
/* Pushes it and expects that answer, and that way. */
void ways_push(struct batch *b, const char *what, int32_t code, const char *way);

/* Takes and acks all of "q", each at its first attempt. How many; the ids of the first `most`, in
   the order they came. */
uint32_t ways_drain(char ids[][DRAY_NAME_MAX + 1], uint32_t most);

#endif
