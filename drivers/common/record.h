/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stored job: a block of the slab with the fixed part, then id, name, unique key, group and
 * payload without gaps. A payload that makes the block too large lies in memory of its own, and its
 * address takes its place.
 */
#ifndef DRIVERS_COMMON_RECORD_H
#define DRIVERS_COMMON_RECORD_H

#include "common/slab.h"
#include "dray/driver.h"

#include <string.h>

struct tally;
struct owner;
struct table;

#define RECORD_NO_DUE INT64_MIN
#define RECORD_NO_PLACE UINT32_MAX

enum {
    RECORD_CANCELLED = DRAY_JOB_CANCELLED,
    RECORD_OUTSIDE = 2, /* the payload has memory of its own */
    RECORD_COPIED = 4   /* the same as table.mark, but for jobs that a copy has yet to tell */
};

/* Errors that the driver itself writes take no memory, so that they can always be written. */
enum { RECORD_ERROR_NOTE = 0, RECORD_ERROR_EXPIRED = 1, RECORD_ERROR_CANCELLED = 2 };

/* What handlers and failures leave behind: error, result and progress, one after another. */
struct notes {
    uint32_t error_len;
    uint32_t result_len;
    uint32_t progress_len;
    char text[];
};

struct record {
    uint32_t prev; /* in a list of the queue; the slab's, while the block is free */
    uint32_t next;
    uint32_t hash;  /* of the id, for the index */
    uint32_t place; /* in a heap of the queue, or RECORD_NO_PLACE */
    struct tally *type;
    struct owner *owner; /* of the lease */
    struct notes *notes;
    int64_t created_ms; /* wall clock */
    int64_t due;        /* monotonic: when it fell or falls due; RECORD_NO_DUE: pushed as ready */
    int64_t until;      /* active: monotonic end of the lease; ended: wall clock of the end */
    struct dray_token token;
    uint64_t timeout_ms;
    uint32_t max_attempts;
    uint32_t attempts;
    uint32_t releases;
    uint32_t payload_len;
    uint8_t state; /* 0: a free block */
    uint8_t priority;
    uint8_t flags;
    uint8_t error; /* a RECORD_ERROR_ */
    uint8_t id_len;
    uint8_t name_len;
    uint8_t unique_len;
    uint8_t group_len;
    char text[];
};

static inline struct record *record_at(const struct slab *slab, uint32_t ref)
{
    return slab_at(slab, ref);
}

static inline struct dray_str record_id(const struct record *record)
{
    return (struct dray_str){record->text, record->id_len};
}

static inline struct dray_str record_unique(const struct record *record)
{
    return (struct dray_str){record->text + record->id_len + record->name_len, record->unique_len};
}

static inline struct dray_str record_payload(const struct record *record)
{
    const char *data =
        record->text + record->id_len + record->name_len + record->unique_len + record->group_len;

    if (record->flags & RECORD_OUTSIDE)
        memcpy(&data, (const void *)data, sizeof(data));
    return (struct dray_str){data, record->payload_len};
}

/* A copy of the pushed fields of `job`, state 0, in no list. 0 without memory. */
uint32_t record_new(struct table *table, struct tally *type, const struct dray_job *job);

/* Frees it and all that it holds. */
void record_free(struct table *table, uint32_t ref);

/* Replaces those of the three that are not empty. 0, and no change, without memory. */
int record_note(struct table *table, struct record *record, struct dray_str error,
    struct dray_str result, struct dray_str progress);

void record_clear_error(struct table *table, struct record *record);

/* Fills `job`, which is zeroed or was filled by an earlier call; borrowed from the record. The
   times that change with the clock are left to the caller. */
void record_show(const struct record *record, uint32_t ref, struct dray_job *job);

#endif
