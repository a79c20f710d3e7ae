/* SPDX-License-Identifier: CC0-1.0 */
#include "tally.h"

#include "store.h"

#include <stdio.h>
#include <string.h>

void tally_begin(struct store *store)
{
    store->tally.n = 0;
    store->tally.failed = 0;
}

void tally_free(struct store *store)
{
    if (store->tally.rows)
        store->host->resize(store->host, store->tally.rows, 0);
    store->tally.rows = NULL;
}

static int is(const char *text, struct dray_str other)
{
    return strlen(text) == other.len && (!other.len || memcmp(text, other.data, other.len) == 0);
}

static struct tally_row *row_of(struct store *store, struct dray_str queue, struct dray_str type)
{
    struct tally *tally = &store->tally;
    for (uint32_t i = tally->n; i-- > 0;) {
        if (is(tally->rows[i].queue, queue) && is(tally->rows[i].type, type))
            return &tally->rows[i];
    }
    if (tally->n == tally->room) {
        uint32_t room = tally->room * 2 + 8;
        struct tally_row *rows =
            store->host->resize(store->host, tally->rows, room * sizeof(*rows));
        if (!rows) {
            tally->failed = 1;
            return NULL;
        }
        tally->rows = rows;
        tally->room = room;
    }
    struct tally_row *row = &tally->rows[tally->n++];
    memset(row, 0, sizeof(*row));
    snprintf(row->queue, sizeof(row->queue), "%.*s", (int)queue.len, queue.data);
    if (type.len)
        snprintf(row->type, sizeof(row->type), "%.*s", (int)type.len, type.data);
    return row;
}

void tally_add(
    struct store *store, struct dray_str queue, struct dray_str type, int what, int64_t count)
{
    struct tally_row *row = row_of(store, queue, type);
    if (row)
        row->counts[what] += count;
}

/* A row without a type is a bell. */
void tally_ring(struct store *store, struct dray_str queue)
{
    row_of(store, queue, (struct dray_str){0});
}

int32_t tally_write(struct store *store, struct dray_call *call)
{
    const struct tally *tally = &store->tally;
    PGresult *rows = NULL;
    if (tally->failed)
        return store_no_memory(store, call);
    if (!tally->n)
        return DRAY_OK;
    args_begin(store);
    args_texts(store, tally->n);
    for (uint32_t i = 0; i < tally->n; i++)
        args_add_text(store, str_of(tally->rows[i].queue, strlen(tally->rows[i].queue)));
    args_texts(store, tally->n);
    for (uint32_t i = 0; i < tally->n; i++)
        args_add_text(store, str_of(tally->rows[i].type, strlen(tally->rows[i].type)));
    for (int column = 0; column < TALLY_COLUMNS; column++) {
        args_numbers(store, tally->n);
        for (uint32_t i = 0; i < tally->n; i++)
            args_add_number(store, tally->rows[i].counts[column]);
    }
    int32_t code = link_ask(store, call, SQL_TALLY, &rows);
    PQclear(rows);
    return code;
}
