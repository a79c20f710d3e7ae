/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records by a time: a heap with four children a node. Each record is told its place (the uint32_t
 * that times_place finds), so that it can be taken out from the middle. Equal times leave in the
 * order in which they came. One thread at a time.
 */
#ifndef DRIVERS_COMMON_TIMES_H
#define DRIVERS_COMMON_TIMES_H

#include "dray/driver.h"

struct times_entry {
    int64_t when;
    uint32_t order;
    uint32_t ref;
};

struct times {
    struct times_entry *entries;
    uint32_t count, room;
    uint32_t order;
};

struct slab;

void times_done(struct times *times, const struct dray_host *host);

/* Room for `count` entries in all. 0 without memory. */
int times_ensure(struct times *times, const struct dray_host *host, uint64_t count);

/* Adds a record; there must be room. */
void times_add(struct times *times, const struct slab *slab, int64_t when, uint32_t ref);

/* Takes out the record at `place`. */
void times_remove(struct times *times, const struct slab *slab, uint32_t place);

/* Fills `to`, which is empty, with what `from` holds; no record learns of it. 0 without memory. */
int times_copy(struct times *to, const struct times *from, const struct dray_host *host);

/* Takes the first out of such a copy, which is not empty. */
uint32_t times_take_first(struct times *copy);

#endif
