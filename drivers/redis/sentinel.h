/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the master is, as Redis Sentinels say. The rules for clients are those of
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/: ask one after another, a short
 * time each, again with every connection, see for yourself that the server is a master, and hear
 * when another one becomes it. The last is more than a comfort: a master that was replaced may
 * serve its clients for ten seconds more, and forgets all of it.
 *
 * Two connections stay open to the sentinel that answered last. One is subscribed to switches and
 * tells where the new master is; over the other one it is asked once a second. Each of the two is
 * enough: a sentinel that has just seen a switch may be too busy to answer, as it writes its file
 * to disk then, and word may be missed. While the server answers, no call waits for a sentinel.
 */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "dray/driver.h"
#include "redis/line.h"
#include "redis/link.h"

struct store;

struct sentinel {
    uint32_t n;         /* how many there are; 0: the connection has an address */
    uint32_t at;        /* the one that is spoken to */
    struct line ear;    /* subscribed to switches */
    struct line asking; /* begins when the ear hears, so that no switch falls in between */
    int subscribed;     /* the ear hears */
    int stale;          /* a switch was heard while a question was out: its answer is too old */
    int64_t until_ms;   /* what is awaited comes until then; 0: nothing is */
    int64_t check_ms;   /* to ask then even without a word */
    int64_t retry_ms;   /* not to dial before */
    uint32_t failures;  /* one after another */
    int warned;         /* that none answers */
    int told;           /* `place` is new, and not yet acted upon */
    struct place place; /* of the master, as was last heard */
    char where[320];    /* the sentinel, for messages */
};

/* Reads whether the connection names sentinels; if so, messages name the master until it is found.
 */
void sentinel_init(struct store *store);

/*
 * Asks where the master is, unless sentinel_moved has just said so, and puts that into
 * store->link.place. DRAY_UNREACHABLE if no sentinel knows, DRAY_CONFIG or DRAY_DENIED if one says
 * why it never will.
 */
int32_t sentinel_find(struct store *store, struct dray_call *call);

/* Nonzero if the master is somewhere else by now than the server that we are connected to. Waits a
   moment for the answer of a sentinel that has answered so far, and for nothing else. */
int sentinel_moved(struct store *store);

/* A descriptor that turns readable when a switch is heard; -1: none. */
int sentinel_news(const struct store *store);

/* Puts its connections among what rings (bell_add). */
void sentinel_ring(struct store *store);

void sentinel_close(struct store *store);

#endif
