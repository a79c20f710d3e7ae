/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/arena.h"

#include <stddef.h>
#include <string.h>

#define BLOCK_SIZE ((uint64_t)64 * 1024)

struct arena_block {
    struct arena_block *older;
    uint64_t size, used;
    max_align_t data[];
};

static struct arena_block *add_block(struct arena *arena, uint64_t size)
{
    struct arena_block *block = arena->host->resize(arena->host, NULL, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->older = arena->blocks;
    block->size = size;
    block->used = 0;
    arena->blocks = block;
    return block;
}

void *arena_take(struct arena *arena, uint64_t size)
{
    struct arena_block *block = arena->blocks;
    const uint64_t align = sizeof(max_align_t);
    if (size > UINT32_MAX)
        return NULL;
    size = (size + align - 1) / align * align;
    if (!block || block->size - block->used < size)
        block = add_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
    if (!block)
        return NULL;
    void *piece = (char *)block->data + block->used;
    block->used += size;
    return piece;
}

int arena_copy(struct arena *arena, struct dray_str from, struct dray_str *to)
{
    *to = (struct dray_str){NULL, 0};
    if (from.len == 0)
        return 0;
    char *copy = arena_take(arena, from.len);
    if (!copy)
        return 1;
    memcpy(copy, from.data, from.len);
    *to = (struct dray_str){copy, from.len};
    return 0;
}

static void drop_after(struct arena *arena, struct arena_block *keep)
{
    struct arena_block *block = keep ? keep->older : arena->blocks;
    while (block) {
        struct arena_block *older = block->older;
        arena->host->resize(arena->host, block, 0);
        block = older;
    }
    if (keep)
        keep->older = NULL;
    else
        arena->blocks = NULL;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->blocks;
    if (keep && keep->size > BLOCK_SIZE) /* made for one large payload: not worth keeping */
        keep = NULL;
    drop_after(arena, keep);
    if (keep)
        keep->used = 0;
}

void arena_free(struct arena *arena)
{
    if (arena->host)
        drop_after(arena, NULL);
}
