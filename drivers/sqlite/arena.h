/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the jobs of one reserve: many small pieces, all given back at once. */
#ifndef SQLITE_ARENA_H
#define SQLITE_ARENA_H

#include "dray/driver.h"

struct arena {
    const struct dray_host *host;
    struct arena_block *blocks; /* the newest first */
};

/* `size` bytes, aligned for any type; NULL without memory. Valid until arena_reset. */
void *arena_take(struct arena *arena, uint64_t size);

/* A copy of `from`; data is NULL if it is empty. Nonzero without memory. */
int arena_copy(struct arena *arena, struct dray_str from, struct dray_str *to);

/* Gives all pieces back, and keeps one block for the next time. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
