/* SPDX-License-Identifier: Apache-2.0 */
#include "common/slab.h"

#include <string.h>

#define CHUNK_UNITS (1u << SLAB_SHIFT)
#define CHUNKS_MAX (1u << (32 - SLAB_SHIFT))

void slab_init(struct slab *slab, const struct dray_host *host)
{
    memset(slab, 0, sizeof(*slab));
    slab->host = host;
    slab->nchunks = 1;
}

void slab_done(struct slab *slab)
{
    if (!slab->host)
        return;
    for (uint32_t i = 1; i < slab->nchunks; i++)
        slab->host->resize(slab->host, slab->chunks[i].base, 0);
    slab->host->resize(slab->host, slab->chunks, 0);
    memset(slab, 0, sizeof(*slab));
}

/* Exact up to 512 bytes, in steps of at most an eighth above: few classes, little waste. */
static uint32_t units_for(size_t size)
{
    uint32_t units = (uint32_t)((size + SLAB_UNIT - 1) / SLAB_UNIT);
    uint32_t step = units <= 32 ? 1 : units <= 64 ? 4 : units <= 128 ? 8 : 16;

    return (units + step - 1) / step * step;
}

static int grow_chunks(struct slab *slab)
{
    if (slab->nchunks < slab->room)
        return 1;
    uint32_t room = slab->room ? slab->room * 2 : 16;
    if (room > CHUNKS_MAX)
        room = CHUNKS_MAX;
    if (slab->nchunks >= room)
        return 0;
    struct slab_chunk *chunks =
        slab->host->resize(slab->host, slab->chunks, room * sizeof(*chunks));
    if (!chunks)
        return 0;
    slab->chunks = chunks;
    slab->room = room;
    return 1;
}

static int add_chunk(struct slab *slab, uint32_t units)
{
    if (!grow_chunks(slab))
        return 0;
    char *base = slab->host->resize(slab->host, NULL, (size_t)CHUNK_UNITS * SLAB_UNIT);
    if (!base)
        return 0;
    slab->chunks[slab->nchunks] = (struct slab_chunk){base, units, 0};
    slab->open[units] = slab->nchunks++;
    return 1;
}

uint32_t slab_take(struct slab *slab, size_t size)
{
    uint32_t units = units_for(size);
    uint32_t ref = slab->freed[units];

    if (ref) {
        memcpy(&slab->freed[units], slab_at(slab, ref), sizeof(uint32_t));
        return ref;
    }
    if (!slab->open[units] && !add_chunk(slab, units))
        return 0;
    struct slab_chunk *chunk = &slab->chunks[slab->open[units]];
    ref = slab->open[units] << SLAB_SHIFT | chunk->used;
    chunk->used += units;
    if (chunk->used + units > CHUNK_UNITS)
        slab->open[units] = 0;
    return ref;
}

void slab_give(struct slab *slab, uint32_t ref)
{
    uint32_t units = slab->chunks[ref >> SLAB_SHIFT].units;

    memcpy(slab_at(slab, ref), &slab->freed[units], sizeof(uint32_t));
    slab->freed[units] = ref;
}

int slab_known(const struct slab *slab, uint64_t ref)
{
    uint64_t number = ref >> SLAB_SHIFT;

    if (number == 0 || number >= slab->nchunks)
        return 0;
    const struct slab_chunk *chunk = &slab->chunks[number];
    uint32_t offset = (uint32_t)ref & (CHUNK_UNITS - 1);
    return offset < chunk->used && offset % chunk->units == 0;
}

uint32_t slab_next(const struct slab *slab, uint32_t ref)
{
    uint32_t number = ref >> SLAB_SHIFT;

    if (number) {
        uint32_t offset = (ref & (CHUNK_UNITS - 1)) + slab->chunks[number].units;
        if (offset < slab->chunks[number].used)
            return number << SLAB_SHIFT | offset;
    }
    for (number++; number < slab->nchunks; number++) {
        if (slab->chunks[number].used)
            return number << SLAB_SHIFT;
    }
    return 0;
}
