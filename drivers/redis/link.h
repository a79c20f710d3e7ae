/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the server: one request, one answer, within the call's budget. After a timeout,
 * a short read or anything that is no answer the connection is closed and never used again, so no
 * answer meets another question. The next call connects again, after a pause that grows.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "dray/driver.h"
#include "redis/wait.h"

#include <hiredis/hiredis.h>

struct store;

#define LINK_DIGEST 40

struct link {
    redisContext *context; /* NULL: not connected */
    struct wait_bounds bounds;
    int64_t deadline_ms; /* of the call under way, in store_clock_ms */
    int64_t retry_ms;    /* not to connect before */
    uint32_t failures;   /* to connect, in a row */
    int greeted;         /* the server was once fit for use */
    int64_t own_id;      /* of this connection, as the server counts clients; 0: not known */
    int64_t lost_id;     /* of one given up with a request on the way: ended when reconnecting */
    char turn[LINK_DIGEST + 1];   /* digest of the script, once loaded */
    char people[LINK_DIGEST + 1]; /* the same */
    char where[256];              /* the server, for messages; no password */
    char last[256];               /* why the last connection could not be made */
};

/* A request: `n` words. */
struct request {
    int n;
    const char **words;
    size_t *lens;
    int reads; /* it changes nothing, so that no answer is no more than a failure */
};

/* Reads where the server is out of the options. DRAY_OK, or a refusal. */
int32_t link_init(struct store *store, struct dray_call *call);
void link_close(struct store *store);

/* The budget of a call begins. */
void link_begin(struct store *store, struct dray_call *call);

/* Connected, logged in and in the right database, or an error. The only place that connects.
   `bounds` live as long as the connection. */
int32_t link_connect(struct store *store, struct dray_call *call, redisContext **context,
    struct wait_bounds *bounds);

/* The connection is there and its server fit for use, or an error that says "certainly not". */
int32_t link_ready(struct store *store, struct dray_call *call);

/*
 * Sends a request on the store's connection and waits for the answer, which may be an error of the
 * server's. The caller frees it. Without one: DRAY_UNREACHABLE if the request has certainly not
 * left (or only reads), else DRAY_UNKNOWN; the connection is closed then.
 */
int32_t link_ask(
    struct store *store, struct dray_call *call, const struct request *request, redisReply **reply);

/* The same for words that end in a zero byte and a NULL behind the last. */
int32_t link_say(struct store *store, struct dray_call *call, redisContext *context,
    const char *const *words, redisReply **reply);

/* Gives the connection up; the next call makes a new one. */
void link_drop(struct store *store);

#endif
