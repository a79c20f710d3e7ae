/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the job table share. Nobody else includes this. */
#ifndef DRIVERS_COMMON_TABLE_IMPL_H
#define DRIVERS_COMMON_TABLE_IMPL_H

#include "common/index.h"
#include "common/names.h"
#include "common/record.h"
#include "common/slab.h"
#include "common/table.h"
#include "common/table_event.h"
#include "common/times.h"

#define PRIORITIES (DRAY_PRIORITY_LAST + 1u)

/* A list through the records' prev and next; 0 ends it. */
struct list {
    uint32_t head, tail;
};

struct owner {
    struct dray_str name;
};

/* A type of a queue, with its totals. */
struct tally {
    struct dray_str name;
    struct queue *queue;
    uint64_t pushed, completed, failed, retried, died, runs, run_ms;
};

struct queue {
    struct dray_str name;
    struct names types;
    struct tally *last_type; /* the one pushed last: mostly the next one too */
    uint64_t salt;           /* for hashes of ids and unique keys */
    struct list ready[PRIORITIES];
    uint32_t ready_mask; /* bit p: ready[p] is not empty */
    uint32_t paused;
    struct list leases;      /* active, in the order of their ends */
    struct times odd_leases; /* active, whose end came out of that order */
    struct times delayed;    /* by due */
    struct times ended[2];   /* dead and done, by the time of their end */
    uint64_t counts[6];      /* by state */
    uint64_t retrying, parked;
    struct owner *consumer;
    int64_t consumer_ms; /* monotonic */
    int64_t told_ms;     /* when the consumer was last told of, if consumer_told */
    int consumer_told;
    int used; /* shown by stats: something was stored, changed or consumed */
};

/* A member of a group before it enters its state; ref 0: nothing new. */
struct staged {
    uint32_t ref;
    uint32_t state;
};

struct copy;

struct table {
    const struct dray_host *host;
    const char *driver;
    uint64_t capacity;
    uint64_t nrecords;
    uint64_t nbytes; /* texts of all records: payloads, names, errors and so on; see table_weigh */
    uint64_t seed;
    struct slab slab;
    struct index ids;
    struct index keys; /* unique keys that are held */
    struct names queues;
    struct names owners;
    struct queue *last_queue;
    struct owner *last_owner;
    struct staged *staged; /* the members of a group under way */
    uint32_t staged_room;
    table_event_fn tell; /* NULL: nobody listens */
    void *tell_arg;
    table_extra_fn extra; /* NULL: texts take their own bytes */
    struct copy *copy;    /* under way, or NULL */
    uint8_t mark;         /* RECORD_COPIED or 0: what jobs carry that no copy has to tell */
};

struct key {
    const struct table *table;
    const struct queue *queue;
    struct dray_str text;
};

static inline int64_t time_after(int64_t now, uint64_t ms)
{
    return ms > (uint64_t)(INT64_MAX / 2) ? INT64_MAX / 2 : now + (int64_t)ms;
}

/* The queue of that name, or NULL. */
struct queue *table_queue(struct table *table, struct dray_str name);
/* The same, made if there is none; NULL without memory. */
struct queue *table_queue_make(struct table *table, struct dray_str name);
struct tally *table_type_make(struct table *table, struct queue *queue, struct dray_str name);
struct owner *table_owner_make(struct table *table, struct dray_str name);

uint32_t table_hash(const struct queue *queue, struct dray_str text);
/* References, 0 if there is none. */
uint32_t table_find_id(
    const struct table *table, const struct queue *queue, struct dray_str id, uint32_t hash);
uint32_t table_find_key(const struct table *table, const struct queue *queue, struct dray_str key);

/* Takes a record out of the index, off its unique key and out of memory; it is in no list. */
void table_forget(struct table *table, uint32_t ref);
/* The unique key of a job that ends is free again. */
void table_drop_key(struct table *table, uint32_t ref);

/* state.c: each takes a record that is in no state (state 0) into one, or out of it. */
void state_leave(struct table *table, struct queue *queue, uint32_t ref);
void state_ready(struct table *table, struct queue *queue, uint32_t ref);
void state_delayed(struct table *table, struct queue *queue, uint32_t ref, int64_t due);
void state_active(struct table *table, struct queue *queue, uint32_t ref, int64_t until);
void state_ended(
    struct table *table, struct queue *queue, uint32_t ref, uint32_t state, int64_t wall_ms);

/* Room for every move that `handed` jobs more, once active, can make. 0 without memory. */
int state_reserve(struct table *table, struct queue *queue, uint64_t handed);

/* Tells whoever listens; table_tell.c. `lease` (or NULL) gives what came with it: texts, run_ms. */
void table_tell_job(
    struct table *table, uint32_t kind, uint32_t ref, const struct dray_lease *lease);
void table_tell_queue(struct table *table, uint32_t kind, const struct queue *queue);

static inline void tell_job(
    struct table *table, uint32_t kind, uint32_t ref, const struct dray_lease *lease)
{
    if (table->tell)
        table_tell_job(table, kind, ref, lease);
}

static inline void tell_queue(struct table *table, uint32_t kind, const struct queue *queue)
{
    if (table->tell)
        table_tell_queue(table, kind, queue);
}

static inline int tally_is_counted(const struct tally *type)
{
    return (type->pushed | type->completed | type->failed | type->died | type->runs) != 0;
}

/* A job is about to leave its state while a copy is under way; table_copy.c. */
void table_copy_leaving(struct table *table, uint32_t ref);

/* Fills in a job as list and reserve show it, times included. */
void table_show(
    const struct table *table, const struct table_now *now, uint32_t ref, struct dray_job *job);

#endif
