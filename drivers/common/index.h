/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the hash of a key to the reference of its record.
 *
 * Open addressing with linear probing; a slot holds 32 bits of the hash beside the reference, so a
 * walk touches no record but the one it looks for, and growing touches none. The table is split
 * into 256 shards that grow one by one: growing at a million records moves some thousand slots, not
 * a million. Removal shifts the followers back (Knuth, TAOCP vol. 3, 6.4, algorithm R), so there
 * are no tombstones. One thread at a time.
 */
#ifndef DRIVERS_COMMON_INDEX_H
#define DRIVERS_COMMON_INDEX_H

#include "dray/driver.h"

#define INDEX_SHARDS 256u

struct index_slot {
    uint32_t hash;
    uint32_t ref; /* 0: empty */
};

struct index_shard {
    struct index_slot *slots;
    uint32_t size; /* a power of two, or 0 */
    uint32_t count;
};

struct index {
    const struct dray_host *host;
    struct index_shard shards[INDEX_SHARDS];
};

/* Is the record behind `ref` the one that `key` asks for? */
typedef int (*index_match_fn)(const void *key, uint32_t ref);

void index_init(struct index *index, const struct dray_host *host);
void index_done(struct index *index);

/* The reference, or 0. */
uint32_t index_find(
    const struct index *index, uint32_t hash, index_match_fn match, const void *key);

/* Adds a key that is not there. 0 without memory. */
int index_add(struct index *index, uint32_t hash, uint32_t ref);

/* Takes out what index_add put in. */
void index_remove(struct index *index, uint32_t hash, uint32_t ref);

/* Brings the slot that `hash` begins at into the cache; several in a row overlap. A load and not a
   prefetch: processors drop those whose page is not at hand, and in a large index none is. */
static inline void index_touch(const struct index *index, uint32_t hash)
{
    const struct index_shard *shard = &index->shards[hash % INDEX_SHARDS];

    if (shard->size)
        __asm__ volatile("" ::"r"(shard->slots[(hash / INDEX_SHARDS) & (shard->size - 1)].hash));
}

/* 64 bits that depend on all of `data` and on `seed`: folded 128-bit products of eight bytes at a
   time, as in Wang Yi's wyhash. */
uint64_t index_hash(uint64_t seed, const char *data, size_t len);

#endif
