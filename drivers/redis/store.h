/* SPDX-License-Identifier: Apache-2.0 */
/* One open store: what it was told, its connection to the server, and its memory. */
#ifndef REDIS_STORE_H
#define REDIS_STORE_H

#include "dray/driver.h"
#include "redis/bell.h"
#include "redis/buffer.h"
#include "redis/link.h"
#include "redis/listing.h"
#include "redis/lookup.h"
#include "redis/sentinel.h"
#include "redis/told.h"

#define STORE_PREFIX_MAX 100u

/* Queues in one script call. */
#define STORE_QUEUES_MAX 1024u

struct store {
    const struct dray_host *host;
    const char *prefix;  /* of every key; the host's */
    int64_t dedupe_ms;   /* how long ended ids are remembered */
    int host_clock;      /* scripts are told the host's time: for tests */
    int64_t ahead_ms;    /* that clock, less the host's monotonic one */
    uint32_t durability; /* in force, as the server was last found to be set */
    struct link link;    /* all requests and answers */
    struct lookups lookups;
    struct sentinel sentinel;
    struct bell bell;      /* the subscription behind `watch` */
    struct buffer plan;    /* of the script call under way */
    struct buffer bulk;    /* beside the plan: texts, one after another */
    struct buffer lens;    /* of those texts, each a size_t; none: they are one */
    struct buffer keys;    /* its keys, one after another */
    struct buffer words;   /* the words of the request, and their lengths */
    uint32_t careful;      /* turns in a row that were not to be tried as plain ones, */
    uint32_t careful_left; /* and how many of them are left */
    uint32_t nqueues;      /* its queues: the keys' numbers */
    struct dray_str queues[STORE_QUEUES_MAX];
    struct listings lists; /* listings that have begun */
    struct told told;      /* records that make no sense */
};

/* The driver's open and close. */
int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host);
void store_close(void *self);

/* Real time in milliseconds that never jumps: what budgets are counted in. */
int64_t store_clock_ms(void);

/*
 * What a script is told of the time: 0 (it asks the server), or in tests the host's. Like the clock
 * of a server, that one does not follow when somebody sets the clock of this machine.
 */
uint64_t store_now(const struct store *store);

/* A schedule as that clock counts. */
int64_t store_schedule(const struct store *store, int64_t run_at_ms);

#endif
