/* SPDX-License-Identifier: Apache-2.0 */
#include "common/names.h"

#include "common/index.h"

#include <string.h>

void names_done(struct names *names, const struct dray_host *host)
{
    for (uint32_t i = 0; i < names->count; i++)
        host->resize(host, names->list[i], 0);
    host->resize(host, names->slots, 0);
    host->resize(host, names->list, 0);
    memset(names, 0, sizeof(*names));
}

/* The slot that holds `name`, or the empty one where it belongs. */
static struct dray_str **slot_of(struct dray_str **slots, uint32_t size, struct dray_str name)
{
    uint32_t at = (uint32_t)index_hash(0, name.data, name.len) & (size - 1);

    while (slots[at] && !names_equal(*slots[at], name))
        at = (at + 1) & (size - 1);
    return &slots[at];
}

void *names_find(const struct names *names, struct dray_str name)
{
    return names->size ? *slot_of(names->slots, names->size, name) : NULL;
}

static int grow(struct names *names, const struct dray_host *host)
{
    uint32_t size = names->size ? names->size * 2 : 8;
    struct dray_str **list = host->resize(host, names->list, size / 2 * sizeof(*list));

    if (!list)
        return 0;
    names->list = list;
    struct dray_str **slots = host->resize(host, NULL, size * sizeof(*slots));
    if (!slots)
        return 0;
    memset(slots, 0, size * sizeof(*slots));
    for (uint32_t i = 0; i < names->count; i++)
        *slot_of(slots, size, *list[i]) = list[i];
    host->resize(host, names->slots, 0);
    names->slots = slots;
    names->size = size;
    return 1;
}

void *names_get(
    struct names *names, const struct dray_host *host, struct dray_str name, size_t size)
{
    struct dray_str *entry = names_find(names, name);

    if (entry)
        return entry;
    if (names->count >= names->size / 2 && !grow(names, host))
        return NULL;
    entry = host->resize(host, NULL, size + name.len);
    if (!entry)
        return NULL;
    memset(entry, 0, size);
    char *text = (char *)entry + size;
    if (name.len)
        memcpy(text, name.data, name.len);
    *entry = (struct dray_str){text, name.len};
    *slot_of(names->slots, names->size, name) = entry;
    names->list[names->count++] = entry;
    return entry;
}
