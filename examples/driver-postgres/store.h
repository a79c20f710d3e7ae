/* SPDX-License-Identifier: CC0-1.0 */
/* One open store: what it was told, its connection, and what the transaction under way gathers. */
#ifndef POSTGRES_STORE_H
#define POSTGRES_STORE_H

#include "args.h"
#include "bell.h"
#include "link.h"
#include "tally.h"

#define STORE_PUSH_MAX 1000u
#define STORE_BATCH_MAX 256u

/* The last pruning of ended jobs: when, and what was to be kept. */
struct kept {
    int64_t pruned_ms;
    uint64_t done_ms, dead_ms, most;
};

struct store {
    const struct dray_host *host;
    const char *schema;   /* the tables lie there; also the channel of the bell */
    char schema_sql[132]; /* the same, quoted for SQL */
    char name[40];        /* of this instance among the server's sessions */
    int64_t dedupe_ms;    /* how long ids that have ended are remembered */
    int host_clock;       /* SQL is told the host's time: for tests */
    int64_t ahead_ms;     /* that clock, less the host's monotonic one */
    uint32_t wish;        /* the durability asked for; 0: what there is */
    uint32_t durability;  /* in force */
    struct link link;
    struct bell bell;
    struct args args;   /* of the statement under way */
    struct tally tally; /* of the transaction under way */
    PGresult **held;    /* jobs to hand out after the commit */
    uint32_t nheld, held_room;
    struct kept kept;
};

static inline struct dray_str str_of(const char *data, uint64_t len)
{
    return (struct dray_str){data, len};
}

/* Every operation begins and ends with these. */
void store_enter(struct store *store, const struct dray_call *call);
void store_leave(struct store *store);

int32_t store_no_memory(struct store *store, struct dray_call *call);

/* A schedule of the wall clock on the clock that the statements see. */
int64_t store_schedule(const struct store *store, int64_t run_at_ms);

#endif
