/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to a sentinel on which nobody waits: it is dialled, asked and listened to in steps,
 * each of which takes what has come and returns at once. So a sentinel that hangs delays nothing.
 */
#ifndef REDIS_LINE_H
#define REDIS_LINE_H

#include "redis/answer.h"
#include "redis/link.h"

#include <hiredis/hiredis.h>

struct line {
    redisContext *context; /* NULL: there is none */
    struct answer_bounds bounds;
    int dialled;    /* the connection does not stand yet */
    int logging_in; /* the next answer is the one to the login */
};

/* What a step has found. */
enum {
    LINE_QUIET = 0,  /* nothing more for now */
    LINE_STANDS = 1, /* the connection is there: the time to say something */
    LINE_ANSWER = 2, /* a reply, for freeReplyObject */
    LINE_BROKEN = 3  /* the connection is good for nothing but line_close; errno says why */
};

/* Begins a connection to a place that is given by its address; 0, or LINE_BROKEN at once. */
int line_dial(struct line *line, const struct place *place);

/* Sends a request that is short enough to leave in one piece. 0, or LINE_BROKEN. */
int line_say(struct line *line, int n, const char **words);

int line_step(struct line *line, redisReply **reply);

/* Nonzero if a step would find something; asks the system once for both. */
int lines_have_news(const struct line *one, const struct line *other);

/* Waits until a step of one of them would find something, or the deadline has passed. */
void lines_wait(const struct line *one, const struct line *other, int64_t deadline_ms);

void line_close(struct line *line);

#endif
