/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A range of the file, record by record into the table, and what the damage in it means.
 *
 * Each record knows its number and the turn that it was written with. A gap in the numbers says how
 * many records are lost; a turn that is not all there at the end of the file was being written when
 * the machine or the process stopped, and nobody was told that it was done: it is cut off whole.
 */
#ifndef FILE_APPLY_H
#define FILE_APPLY_H

#include "file/line.h"
#include "file/scan.h"
#include "file/store.h"

struct apply {
    const struct dray_host *host;
    struct table *table; /* NULL: look, and tell call->note */
    struct buffer *input, *scratch;
    uint32_t boot;
    int sorted; /* by their numbers, for the lines of the file are out of order */
    struct dray_call *call;
    const char *path;

    /* Results. */
    int64_t end, cut;
    uint64_t seq;
    uint64_t records;
    struct header header;
    int has_header, looks_ours, unbroken;
    struct damage damage;
    int sys;

    /* The turn of the last record. */
    uint64_t turn;
    int64_t turn_at; /* where it begins, damage before its first record included */
    int turn_more, turn_torn;

    /* Damage since the last record; bad_at < 0: none. */
    int64_t bad_at;
    uint64_t bad_pieces;
    int bad_torn;

    /* The damaged pieces behind the last whole one, whatever the order; last_at < 0: none. */
    int64_t last_at;
    int last_torn;
};

/* Goes on where the journal of the store ends. `store` may be NULL. */
void apply_begin(struct apply *apply, struct store *store, int sorted);

/*
 * Reads [from, limit). DRAY_OK: up to apply->end. DRAY_CONFLICT: the lines are out of order, begin
 * again with `sorted`. DRAY_CANCELLED: something of a torn turn is in the table already, begin
 * again with the limit apply->cut. DRAY_IO and DRAY_NOMEM are not explained.
 */
int32_t apply_range(struct apply *apply, int fd, int64_t from, int64_t limit);

#endif
