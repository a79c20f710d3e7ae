/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the server: one request, one answer, within the call's budget. After a timeout,
 * a short read or anything that is no answer the connection is closed and never used again, so no
 * answer meets another question. The next call connects again, after a pause that grows.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "dray/driver.h"
#include "redis/answer.h"

#include <hiredis/hiredis.h>

struct store;

#define LINK_DIGEST 40
#define LINK_SCRIPTS 4
#define LINK_RUN_ID 40

/* Where a server listens. */
struct place {
    char host[256]; /* or the path of a socket */
    int port;       /* 0: it is a path */
};

struct link {
    redisContext *context; /* NULL: not connected */
    struct answer_bounds bounds;
    struct place place; /* of the server, as it is configured or as the sentinels last said */
    struct place at;    /* the same with an address for a name: where the connection goes */
    uint32_t server;    /* counts up when it is another server than before, or that one restarted */
    int64_t deadline_ms; /* of the call under way, in store_clock_ms */
    int64_t retry_ms;    /* not to connect before */
    uint32_t failures;   /* to connect, in a row */
    int greeted;         /* the server was once fit for use */
    int64_t own_id;      /* of this connection, as the server counts clients; 0: not known */
    int64_t lost_id;     /* of one given up with a request on the way: ended when reconnecting */
    char run_id[LINK_RUN_ID + 1];                /* of the server, "" at first */
    char scripts[LINK_SCRIPTS][LINK_DIGEST + 1]; /* digests of what has been loaded */
    char where[320];                             /* the server, for messages; no password */
    char last[400];                              /* why the last connection could not be made */
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
/* Another question of a call that has more time than one may take. 0 once `end_ms` is over. */
int link_again(struct store *store, struct dray_call *call, int64_t end_ms);

/* For as long as a connection is being made: at most so much of the call's budget. Returns the
   deadline that was, to be put back. */
int64_t link_hurry(struct store *store, int64_t most_ms);

/* One more to the server that the store's connection goes to: connected, logged in and in the right
   database. `bounds` live as long as the connection. */
int32_t link_connect(struct store *store, struct dray_call *call, redisContext **context,
    struct answer_bounds *bounds);

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
