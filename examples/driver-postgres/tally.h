/* SPDX-License-Identifier: CC0-1.0 */
/* What a transaction adds to the totals, and the queues whose bell it rings: gathered here, written
   by one statement before the commit. */
#ifndef POSTGRES_TALLY_H
#define POSTGRES_TALLY_H

#include <dray/driver.h>

struct store;

enum {
    TALLY_PUSHED,
    TALLY_COMPLETED,
    TALLY_FAILED,
    TALLY_RETRIED,
    TALLY_DIED,
    TALLY_RUNS,
    TALLY_RUN_MS,
    TALLY_COLUMNS
};

struct tally_row {
    char queue[DRAY_NAME_MAX + 1], type[DRAY_NAME_MAX + 1];
    int64_t counts[TALLY_COLUMNS];
};

struct tally {
    struct tally_row *rows;
    uint32_t n, room;
    int failed; /* memory was missing */
};

void tally_begin(struct store *store);
void tally_free(struct store *store);

void tally_add(
    struct store *store, struct dray_str queue, struct dray_str type, int what, int64_t count);

/* Others may find work in that queue. */
void tally_ring(struct store *store, struct dray_str queue);

/* Writes it all, as part of the transaction. */
int32_t tally_write(struct store *store, struct dray_call *call);

#endif
