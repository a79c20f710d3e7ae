/* SPDX-License-Identifier: Apache-2.0 */
/* Talking over a hiredis connection that never blocks, up to a deadline. */
#ifndef REDIS_WAIT_H
#define REDIS_WAIT_H

#include <hiredis/hiredis.h>
#include <stdint.h>

/* Results. After anything but WAIT_OK the connection is good for nothing but redisFree. */
enum {
    WAIT_OK = 0,
    WAIT_UNSENT = 1, /* nothing of the request has left */
    WAIT_TIME = 2,   /* the deadline passed; part of the request may have left */
    WAIT_LOST = 3,   /* the connection broke; the same */
    WAIT_STRANGE = 4 /* what came is no answer */
};

/* Both give up as well when the descriptor `news` (-1: none) turns readable: the server may have
   vanished without a word. */

/* Waits until a connection that has been begun stands; 0, or an errno. */
int wait_connected(redisContext *context, int news, int64_t deadline_ms);

/* Sends a request and waits for one answer. */
int wait_answer(redisContext *context, const char *data, size_t len, int news, int64_t deadline_ms,
    redisReply **reply);

/* Nonzero if a connection on which nothing is expected has ended or says something. */
int wait_is_dead(const redisContext *context);

#endif
