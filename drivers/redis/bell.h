/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor behind `watch`: a second connection that has subscribed to the bells of some
 * queues. What the driver gives out is an epoll descriptor around it, so that it stays the same
 * while the connection breaks and comes back.
 */
#ifndef REDIS_BELL_H
#define REDIS_BELL_H

#include "redis/answer.h"
#include "redis/buffer.h"

#include <hiredis/hiredis.h>

struct store;

struct bell {
    int epoll;    /* given out; valid if `watching` */
    int watching; /* somebody has asked for it */
    struct answer_bounds bounds;
    redisContext *context;  /* NULL: to be connected again */
    uint32_t server;        /* the link's, when it was connected */
    struct buffer channels; /* names, each ended by a zero byte */
    uint32_t n;
    int64_t retry_ms;
};

/* Subscribes to the bells of these queues, instead of those before. */
int32_t bell_watch(struct store *store, struct dray_call *call, const struct dray_str *queues,
    uint32_t n, int32_t *fd);

/* Takes whatever has been heard, before a look; connects again, now and then, if it is broken. */
void bell_clear(struct store *store, struct dray_call *call);

/* Nonzero if it has rung since, or hangs at a server that is no longer ours: it is cleared, and
   somebody must look again. A ring can come a little later than the answer of the script that rang.
 */
int bell_rang(struct store *store);

/* Makes what the given-out descriptor stands for readable with these epoll events of this one too,
   until bell_remove, which comes before that is closed. */
void bell_add(struct store *store, int fd, uint32_t events);
void bell_remove(struct store *store, int fd);

void bell_close(struct store *store);

#endif
