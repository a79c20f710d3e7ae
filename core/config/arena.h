/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed all at once: a configuration is many small strings with one life. */
#ifndef CORE_CONFIG_ARENA_H
#define CORE_CONFIG_ARENA_H

#include <stddef.h>

/* Zeroed: empty. One thread at a time. */
struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory, aligned for any type; NULL without memory. Valid until arena_free. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
/* `len` bytes of `text` and a zero. */
char *arena_copy(struct arena *arena, const char *text, size_t len);
/* As asprintf; NULL without memory. */
char *arena_print(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

#endif
