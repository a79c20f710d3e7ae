/* SPDX-License-Identifier: Apache-2.0 */
/* Is everything done that a worker waits for which runs until its queues are empty? */
#include "host/error.h"
#include "worker/worker.h"

struct counts {
    struct dray_call call; /* first: the sink gets back from it to here */
    uint64_t waiting;      /* holds the worker */
    uint64_t scheduled, parked, paused;
};

static void add_row(struct dray_call *call, const struct dray_stats_row *row)
{
    struct counts *c = (struct counts *)(void *)call;
    if (row->type.len)
        return;
    c->parked += row->parked;
    c->scheduled += row->delayed - row->retrying - row->parked;
    c->waiting += row->active;
    if (row->paused)
        c->paused++;
    else
        c->waiting += row->ready + row->retrying;
}

int worker_is_empty(struct worker *w, struct dray_error *error)
{
    struct dray *dray = w->dray;
    struct counts c = {.waiting = 0};
    store_call_init(&c.call, error, dray->budget_ms);
    c.call.stats = add_row;
    turn_begin_alone(dray);
    int code = dray->store->driver.stats(dray->store->self, &c.call, w->queues, w->nqueues);
    if (code == DRAY_OK) {
        w->report.scheduled = c.scheduled;
        w->report.parked = c.parked;
        w->report.paused = c.paused;
    }
    turn_end_alone(dray);
    return code != DRAY_OK ? -1 : c.waiting == 0;
}
