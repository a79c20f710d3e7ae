/* SPDX-License-Identifier: Apache-2.0 */
#include "common/index.h"

#include <string.h>

#define SHARD_FIRST 8u

void index_init(struct index *index, const struct dray_host *host)
{
    memset(index, 0, sizeof(*index));
    index->host = host;
}

void index_done(struct index *index)
{
    if (!index->host)
        return;
    for (uint32_t i = 0; i < INDEX_SHARDS; i++)
        index->host->resize(index->host, index->shards[i].slots, 0);
    memset(index, 0, sizeof(*index));
}

uint32_t index_find(const struct index *index, uint32_t hash, index_match_fn match, const void *key)
{
    const struct index_shard *shard = &index->shards[hash % INDEX_SHARDS];

    if (!shard->size)
        return 0;
    uint32_t mask = shard->size - 1;
    for (uint32_t at = (hash / INDEX_SHARDS) & mask;; at = (at + 1) & mask) {
        const struct index_slot *slot = &shard->slots[at];
        if (!slot->ref)
            return 0;
        if (slot->hash == hash && match(key, slot->ref))
            return slot->ref;
    }
}

static void put(struct index_slot *slots, uint32_t mask, uint32_t hash, uint32_t ref)
{
    uint32_t at = (hash / INDEX_SHARDS) & mask;

    while (slots[at].ref)
        at = (at + 1) & mask;
    slots[at] = (struct index_slot){hash, ref};
}

static int grow(struct index *index, struct index_shard *shard)
{
    uint32_t size = shard->size ? shard->size * 2 : SHARD_FIRST;
    struct index_slot *slots = index->host->resize(index->host, NULL, size * sizeof(*slots));

    if (!slots)
        return 0;
    memset(slots, 0, size * sizeof(*slots));
    for (uint32_t i = 0; i < shard->size; i++) {
        if (shard->slots[i].ref)
            put(slots, size - 1, shard->slots[i].hash, shard->slots[i].ref);
    }
    index->host->resize(index->host, shard->slots, 0);
    shard->slots = slots;
    shard->size = size;
    return 1;
}

int index_add(struct index *index, uint32_t hash, uint32_t ref)
{
    struct index_shard *shard = &index->shards[hash % INDEX_SHARDS];

    /* At most three quarters full: probes stay within a cache line or two. */
    if (shard->count + 1 > shard->size / 4 * 3 && !grow(index, shard))
        return 0;
    put(shard->slots, shard->size - 1, hash, ref);
    shard->count++;
    return 1;
}

void index_remove(struct index *index, uint32_t hash, uint32_t ref)
{
    struct index_shard *shard = &index->shards[hash % INDEX_SHARDS];
    struct index_slot *slots = shard->slots;
    uint32_t mask = shard->size - 1;
    uint32_t hole = (hash / INDEX_SHARDS) & mask;

    while (slots[hole].ref != ref)
        hole = (hole + 1) & mask;
    for (uint32_t at = (hole + 1) & mask; slots[at].ref; at = (at + 1) & mask) {
        uint32_t home = (slots[at].hash / INDEX_SHARDS) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole] = (struct index_slot){0, 0};
    shard->count--;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t index_hash(uint64_t seed, const char *data, size_t len)
{
    /* Odd constants without structure: the fraction bits of the square roots of 2, 3 and 5. */
    const uint64_t k1 = 0x6a09e667f3bcc909u, k2 = 0xbb67ae8584caa73bu, k3 = 0x3c6ef372fe94f82bu;
    uint64_t hash = seed ^ (len * k3);
    uint64_t word;

    for (; len >= 8; data += 8, len -= 8) {
        memcpy(&word, data, 8);
        hash = fold(hash ^ word ^ k1, k2);
    }
    word = 0;
    if (len)
        memcpy(&word, data, len);
    hash = fold(hash ^ word ^ k1, k2);
    return fold(hash ^ k3, k1);
}
