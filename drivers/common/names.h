/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few long-lived things that have a name - queues, types, owners - each once. An entry begins with
 * its name (struct dray_str) and stays at its address until names_done. One thread at a time.
 */
#ifndef DRIVERS_COMMON_NAMES_H
#define DRIVERS_COMMON_NAMES_H

#include "dray/driver.h"

struct names {
    struct dray_str **slots; /* by hash, linear probing */
    struct dray_str **list;  /* in the order of arrival */
    uint32_t size;           /* slots, a power of two or 0 */
    uint32_t count;
};

/* Frees the entries too, but not what they point to. */
void names_done(struct names *names, const struct dray_host *host);

/* The entry of that name, or NULL. */
void *names_find(const struct names *names, struct dray_str name);

/* The entry of that name, made (`size` bytes, zeroed beyond the name) if there is none. NULL
   without memory. */
void *names_get(
    struct names *names, const struct dray_host *host, struct dray_str name, size_t size);

static inline int names_equal(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.data, b.data, a.len) == 0);
}

#endif
