/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/listing.h"

#include "redis/store.h"

#include <string.h>

void listing_end(struct listing *listing)
{
    if (listing->text.host) {
        buffer_free(&listing->text);
        buffer_free(&listing->rows);
        buffer_free(&listing->queues);
    }
    memset(listing, 0, sizeof(*listing));
}

void listings_free(struct store *store)
{
    for (uint32_t i = 0; i < LISTINGS_MAX; i++)
        listing_end(&store->lists.at[i]);
}

struct listing *listing_begin(struct store *store)
{
    struct listings *lists = &store->lists;
    struct listing *oldest = &lists->at[0];
    for (uint32_t i = 1; i < LISTINGS_MAX; i++) {
        if (lists->at[i].used < oldest->used)
            oldest = &lists->at[i];
    }
    listing_end(oldest);
    oldest->serial = ++lists->serial;
    oldest->used = ++lists->count;
    oldest->text.host = oldest->rows.host = oldest->queues.host = store->host;
    return oldest;
}

struct listing *listing_find(struct store *store, uint64_t serial)
{
    struct listings *lists = &store->lists;
    for (uint32_t i = 0; serial && i < LISTINGS_MAX; i++) {
        if (lists->at[i].serial == serial) {
            lists->at[i].used = ++lists->count;
            return &lists->at[i];
        }
    }
    return NULL;
}

uint32_t listing_add_name(struct listing *listing, struct dray_str name)
{
    uint64_t at = listing->text.len;
    unsigned char len = (unsigned char)name.len;
    if (at > UINT32_MAX - 256 || name.len > DRAY_NAME_MAX) {
        listing->text.failed = 1;
        return 0;
    }
    buffer_add(&listing->text, &len, 1);
    buffer_add(&listing->text, name.data, name.len);
    return (uint32_t)at;
}

void listing_add(struct listing *listing, uint32_t queue, struct dray_str id)
{
    struct listing_row row = {queue, listing_add_name(listing, id)};
    buffer_add(&listing->rows, &row, sizeof(row));
}

struct dray_str listing_name(const struct listing *listing, uint32_t at)
{
    return (struct dray_str){listing->text.data + at + 1, (unsigned char)listing->text.data[at]};
}

static struct listing_row *row_at(const struct listing *listing, uint64_t row)
{
    return (struct listing_row *)(void *)listing->rows.data + row;
}

static int compare(const struct listing *listing, uint32_t a, uint32_t b)
{
    struct dray_str x = listing_name(listing, a), y = listing_name(listing, b);
    int order = memcmp(x.data, y.data, (size_t)(x.len < y.len ? x.len : y.len));
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static void swap(struct listing_row *a, struct listing_row *b)
{
    struct listing_row kept = *a;
    *a = *b;
    *b = kept;
}

/* Heapsort (Williams, 1964): in place, and never slow whatever the ids are. */
static void sift(const struct listing *listing, struct listing_row *rows, uint64_t at, uint64_t n)
{
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && compare(listing, rows[child].id, rows[child + 1].id) < 0)
            child++;
        if (compare(listing, rows[at].id, rows[child].id) >= 0)
            return;
        swap(&rows[at], &rows[child]);
        at = child;
    }
}

uint64_t listing_count(const struct listing *listing)
{
    return listing->rows.len / sizeof(struct listing_row);
}

void listing_sort(struct listing *listing, uint64_t first)
{
    uint64_t n = listing_count(listing) - first, kept = 0;
    if (listing->text.failed || listing->rows.failed || n == 0)
        return;
    struct listing_row *rows = row_at(listing, first);
    for (uint64_t at = n / 2; at > 0; at--)
        sift(listing, rows, at - 1, n);
    for (uint64_t last = n - 1; last > 0; last--) {
        swap(&rows[0], &rows[last]);
        sift(listing, rows, 0, last);
    }
    for (uint64_t at = 0; at < n; at++) {
        if (kept == 0 || compare(listing, rows[kept - 1].id, rows[at].id) != 0)
            rows[kept++] = rows[at];
    }
    listing->rows.len = (first + kept) * sizeof(struct listing_row);
}

struct dray_str listing_queue(const struct listing *listing, uint64_t row)
{
    return listing_name(listing, row_at(listing, row)->queue);
}

struct dray_str listing_id(const struct listing *listing, uint64_t row)
{
    return listing_name(listing, row_at(listing, row)->id);
}
