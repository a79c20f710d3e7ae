/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the master is, as Redis Sentinels say. The rules for clients are those of
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/: ask one after another, a short
 * time each, again with every connection, see for yourself that the server is a master, and hear
 * when another one becomes it. The last is more than a comfort: a master that was replaced may
 * serve its clients for ten seconds more, and forgets all of it.
 */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "dray/driver.h"
#include "redis/answer.h"

#include <hiredis/hiredis.h>

struct store;

struct sentinel {
    uint32_t n;            /* how many there are; 0: the connection has an address */
    redisContext *context; /* subscribed to switches, at the one that knew the master; or NULL */
    struct answer_bounds bounds;
    uint32_t first;    /* which one is asked first: the same */
    uint32_t failures; /* to ask while the server answers, in a row */
    int64_t retry_ms;  /* not to ask before */
    int64_t check_ms;  /* to ask then even without a word */
};

/* Reads whether the connection names sentinels; if so, messages name the master until it is found.
 */
void sentinel_init(struct store *store);

/*
 * Asks where the master is and puts that into store->link.place. DRAY_UNREACHABLE if no sentinel
 * knows, DRAY_CONFIG or DRAY_DENIED if one says why it never will.
 */
int32_t sentinel_find(struct store *store, struct dray_call *call);

/* Nonzero if the master is somewhere else by now than the server that we are connected to. Asks if
   there may be news, and once a second without. */
int sentinel_moved(struct store *store, struct dray_call *call);

/* A descriptor that turns readable when there is news; -1: none. */
int sentinel_news(const struct store *store);

void sentinel_close(struct store *store);

#endif
