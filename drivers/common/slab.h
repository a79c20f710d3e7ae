/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks for records, cut from chunks, named by 32-bit references.
 *
 * A reference is a chunk number (from 1) and an offset within it in units of 16 bytes. Chunks are
 * kept until slab_done, so that any number a caller sends can be checked without touching memory
 * that is no longer ours. Freed blocks are handed out again last in, first out: they are still in
 * the cache. The first four bytes of a free block belong to the slab. One thread at a time.
 */
#ifndef DRIVERS_COMMON_SLAB_H
#define DRIVERS_COMMON_SLAB_H

#include "dray/driver.h"

#define SLAB_UNIT 16u
#define SLAB_BLOCK_MAX 4096u /* bytes */
#define SLAB_SHIFT 14u       /* units of a chunk, as a power of two: 256 KiB */
#define SLAB_CLASSES (SLAB_BLOCK_MAX / SLAB_UNIT + 1u)

struct slab_chunk {
    char *base;
    uint32_t units; /* of each block in it */
    uint32_t used;  /* units ever handed out */
};

struct slab {
    const struct dray_host *host;
    struct slab_chunk *chunks; /* [0] is unused */
    uint32_t nchunks, room;
    uint32_t freed[SLAB_CLASSES]; /* by units: first free block, 0 if none */
    uint32_t open[SLAB_CLASSES];  /* by units: the chunk that still has untouched blocks */
};

void slab_init(struct slab *slab, const struct dray_host *host);
void slab_done(struct slab *slab);

/* A block of at least `size` bytes (1 .. SLAB_BLOCK_MAX), not cleared. 0 without memory. */
uint32_t slab_take(struct slab *slab, size_t size);
void slab_give(struct slab *slab, uint32_t ref);

static inline void *slab_at(const struct slab *slab, uint32_t ref)
{
    return slab->chunks[ref >> SLAB_SHIFT].base +
           (size_t)(ref & ((1u << SLAB_SHIFT) - 1)) * SLAB_UNIT;
}

/* Nonzero if `ref` names a block that was handed out at some time, freed or not. */
int slab_known(const struct slab *slab, uint64_t ref);

/* The block behind `ref` (0: the first) that was ever handed out, in the order of memory; 0 at the
   end. `ref` must be 0 or known. */
uint32_t slab_next(const struct slab *slab, uint32_t ref);

#endif
