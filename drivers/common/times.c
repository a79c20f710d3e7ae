/* SPDX-License-Identifier: Apache-2.0 */
#include "common/times.h"

#include "common/record.h"

#include <string.h>

void times_done(struct times *times, const struct dray_host *host)
{
    host->resize(host, times->entries, 0);
    memset(times, 0, sizeof(*times));
}

int times_ensure(struct times *times, const struct dray_host *host, uint64_t count)
{
    if (count <= times->room)
        return 1;
    uint64_t room = times->room ? times->room : 64;
    while (room < count)
        room *= 2;
    if (room > UINT32_MAX)
        return 0;
    struct times_entry *entries = host->resize(host, times->entries, room * sizeof(*entries));
    if (!entries)
        return 0;
    times->entries = entries;
    times->room = (uint32_t)room;
    return 1;
}

static int before(const struct times_entry *a, const struct times_entry *b)
{
    return a->when != b->when ? a->when < b->when : (int32_t)(a->order - b->order) < 0;
}

/* `slab` is NULL where no record is to know its place. */
static void put(
    struct times *times, const struct slab *slab, uint32_t place, struct times_entry entry)
{
    times->entries[place] = entry;
    if (slab)
        record_at(slab, entry.ref)->place = place;
}

static void rise(
    struct times *times, const struct slab *slab, uint32_t place, struct times_entry entry)
{
    while (place && before(&entry, &times->entries[(place - 1) / 4])) {
        put(times, slab, place, times->entries[(place - 1) / 4]);
        place = (place - 1) / 4;
    }
    put(times, slab, place, entry);
}

static void sink(
    struct times *times, const struct slab *slab, uint32_t place, struct times_entry entry)
{
    for (;;) {
        uint64_t child = (uint64_t)place * 4 + 1;
        uint64_t end = child + 4 < times->count ? child + 4 : times->count;
        if (child >= end)
            break;
        uint32_t best = (uint32_t)child;
        for (uint32_t i = best + 1; i < end; i++) {
            if (before(&times->entries[i], &times->entries[best]))
                best = i;
        }
        if (!before(&times->entries[best], &entry))
            break;
        put(times, slab, place, times->entries[best]);
        place = best;
    }
    put(times, slab, place, entry);
}

void times_add(struct times *times, const struct slab *slab, int64_t when, uint32_t ref)
{
    rise(times, slab, times->count++, (struct times_entry){when, times->order++, ref});
}

void times_remove(struct times *times, const struct slab *slab, uint32_t place)
{
    struct times_entry last = times->entries[--times->count];

    if (place == times->count)
        return;
    if (place && before(&last, &times->entries[(place - 1) / 4]))
        rise(times, slab, place, last);
    else
        sink(times, slab, place, last);
}

int times_copy(struct times *to, const struct times *from, const struct dray_host *host)
{
    if (!times_ensure(to, host, from->count))
        return 0;
    if (from->count)
        memcpy(to->entries, from->entries, from->count * sizeof(*from->entries));
    to->count = from->count;
    return 1;
}

uint32_t times_take_first(struct times *copy)
{
    uint32_t ref = copy->entries[0].ref;

    times_remove(copy, NULL, 0);
    return ref;
}
