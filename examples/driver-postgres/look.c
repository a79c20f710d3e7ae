/* SPDX-License-Identifier: CC0-1.0 */
#include "job.h"
#include "people.h"
#include "store.h"

#include <string.h>

#define PAGE 100 /* jobs in memory at once */
#define ALL_STATES 0x3e

/* ------------------------------------------------------------------------------------------- */
/* List                                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* In the order of ref, which a job keeps all its life. */
static int32_t list(struct store *store, struct dray_call *call, struct dray_filter *filter)
{
    PGresult *rows = NULL;
    uint32_t most = filter->max < PAGE ? filter->max : PAGE;
    args_begin(store);
    args_number(store, (int64_t)filter->cursor[0]);
    args_number(store, filter->states ? filter->states : ALL_STATES);
    args_text(store, filter->queue);
    args_text(store, filter->type);
    args_text(store, filter->id);
    args_number(store, filter->since_ms);
    args_number(store, most);
    filter->cursor[0] = filter->cursor[1] = 0;
    int32_t code = link_ask(store, call, SQL_LIST, &rows);
    if (code == DRAY_OK) {
        int n = PQntuples(rows);
        job_show(call, rows);
        if (n && (uint32_t)n == most)
            filter->cursor[0] = (uint64_t)link_number(rows, n - 1, JOB_REF);
    }
    PQclear(rows);
    return code;
}

int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct store *store = self;
    store_enter(store, call);
    int32_t code = link_ready(store, call);
    if (code == DRAY_OK)
        code = list(store, call, filter);
    store_leave(store);
    return code;
}

/* ------------------------------------------------------------------------------------------- */
/* Stats                                                                                       */
/* ------------------------------------------------------------------------------------------- */

static void show_queue(struct dray_call *call, const PGresult *rows, int row)
{
    const struct dray_stats_row shown = {
        .size = sizeof(shown),
        .queue = link_text(rows, row, 0),
        .paused = (uint32_t)link_number(rows, row, 1),
        .ready = (uint64_t)link_number(rows, row, 2),
        .delayed = (uint64_t)link_number(rows, row, 3),
        .retrying = (uint64_t)link_number(rows, row, 4),
        .parked = (uint64_t)link_number(rows, row, 5),
        .active = (uint64_t)link_number(rows, row, 6),
        .dead = (uint64_t)link_number(rows, row, 7),
        .done = (uint64_t)link_number(rows, row, 8),
        .consumer = link_text(rows, row, 9),
        .consumer_age_ms = (uint64_t)link_number(rows, row, 10),
        .oldest_ready_ms = link_number(rows, row, 11),
    };
    call->stats(call, &shown);
}

static void show_totals(struct dray_call *call, const PGresult *rows, int row)
{
    const struct dray_stats_row shown = {
        .size = sizeof(shown),
        .queue = link_text(rows, row, 0),
        .type = link_text(rows, row, 1),
        .pushed = (uint64_t)link_number(rows, row, 2),
        .completed = (uint64_t)link_number(rows, row, 3),
        .failed = (uint64_t)link_number(rows, row, 4),
        .retried = (uint64_t)link_number(rows, row, 5),
        .died = (uint64_t)link_number(rows, row, 6),
        .runs = (uint64_t)link_number(rows, row, 7),
        .run_ms = (uint64_t)link_number(rows, row, 8),
    };
    call->stats(call, &shown);
}

/* Both are in the order of the queues' names. */
static void show_rows(struct dray_call *call, const PGresult *queues, const PGresult *totals)
{
    int total = 0;
    for (int row = 0; row < PQntuples(queues); row++) {
        show_queue(call, queues, row);
        while (total < PQntuples(totals) &&
               strcmp(PQgetvalue(totals, total, 0), PQgetvalue(queues, row, 0)) == 0)
            show_totals(call, totals, total++);
    }
}

static int32_t ask(struct store *store, struct dray_call *call, const struct dray_str *queues,
    uint32_t n, enum sql which, PGresult **rows)
{
    args_begin(store);
    args_texts(store, n);
    for (uint32_t i = 0; i < n; i++)
        args_add_text(store, queues[i]);
    return link_ask(store, call, which, rows);
}

int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    struct store *store = self;
    PGresult *counts = NULL, *totals = NULL;
    store_enter(store, call);
    int32_t code = link_ready(store, call);
    if (code == DRAY_OK)
        code = ask(store, call, queues, n, SQL_STATS, &counts);
    if (code == DRAY_OK)
        code = ask(store, call, queues, n, SQL_TOTALS, &totals);
    if (code == DRAY_OK)
        show_rows(call, counts, totals);
    PQclear(counts);
    PQclear(totals);
    store_leave(store);
    return code;
}
