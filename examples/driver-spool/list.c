/* SPDX-License-Identifier: CC0-1.0 */
/* Showing jobs, a page at a time. */
#include "spool.h"

#include <stdio.h>
#include <string.h>

#define PAGE 64u

/* Listings go by a number made of queue and id, which stays while jobs move between folders. A page
   holds the lowest ones after where the last page ended. */
struct entry {
    uint64_t number;
    struct place place;
};

struct page {
    const struct dray_filter *filter;
    struct entry entries[PAGE];
    uint32_t n, most;
};

/* FNV-1a again, of QUEUE/ID. */
static uint64_t number_of(const struct place *place)
{
    char text[2 * DRAY_NAME_MAX + 2];
    uint64_t hash = 0xcbf29ce484222325u;
    snprintf(text, sizeof(text), "%s/%s", place->queue, place->id);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return hash | 1;
}

static void insert(const struct place *place, void *user)
{
    struct page *page = user;
    struct dray_str id = page->filter->id;
    uint64_t number = number_of(place);
    uint32_t at = page->n;
    if (number <= page->filter->cursor[0] ||
        (id.len && !spool_same(id, (struct dray_str){place->id, strlen(place->id)})))
        return;
    while (at > 0 && page->entries[at - 1].number > number)
        at--;
    if (at == page->most)
        return;
    if (page->n < page->most)
        page->n++;
    memmove(
        &page->entries[at + 1], &page->entries[at], (page->n - at - 1) * sizeof(page->entries[0]));
    page->entries[at] = (struct entry){number, *place};
}

static int32_t show(struct spool *spool, struct dray_call *call, const struct dray_filter *filter,
    const struct place *place)
{
    int64_t left = place->when - spool->host->mono_ms(spool->host);
    struct dray_job job;
    int32_t code = spool_read(spool, call, place, &job);
    if (code != DRAY_OK)
        return code == DRAY_NOTFOUND ? DRAY_OK : code;
    if (job.state == DRAY_STATE_ACTIVE && left > 0)
        job.lease_left_ms = (uint64_t)left;
    if ((!filter->type.len || spool_same(filter->type, job.type)) &&
        job.created_ms >= filter->since_ms)
        call->job(call, &job);
    return DRAY_OK;
}

int32_t spool_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct spool *spool = self;
    struct page page = {.filter = filter, .most = filter->max < PAGE ? filter->max : PAGE};
    char queue[DRAY_NAME_MAX + 1];
    snprintf(queue, sizeof(queue), "%.*s", (int)filter->queue.len, filter->queue.data);
    int32_t code = spool_begin(spool, call);
    if (code != DRAY_OK)
        return code;
    int error = place_scan(spool->root, filter->queue.len ? queue : NULL,
        filter->states ? filter->states : PLACE_ALL, insert, &page);
    if (error)
        code = spool_fail(spool, call, error, "list its jobs");
    for (uint32_t i = 0; i < page.n && code == DRAY_OK; i++)
        code = show(spool, call, filter, &page.entries[i].place);
    spool_end(spool);
    filter->cursor[0] = page.n && page.n == page.most ? page.entries[page.n - 1].number : 0;
    return code;
}
