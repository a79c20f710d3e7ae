/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that are before and behind a slow handler.
 *
 * Taking several at once is a bet on handlers being as quick as they were lately. When it is lost,
 * the outcomes of those before it are written; what waits behind it goes to an executor that has
 * time; and when none has, back to the store, where another worker may find it.
 */
#include "worker/worker.h"

#define WATCH_MS 20

/* So long nothing moves before jobs are given back. */
#define PATIENCE_MS 1000

static uint32_t waiting_in(const struct chunk *c)
{
    uint32_t next = atomic_load(&c->next);
    return next < c->n ? c->n - next : 0;
}

/* Takes what waits in a chunk, as a thief would: each job goes to whoever raises `next` over it. */
static void give_back_chunk(struct worker *w, struct chunk *c)
{
    uint32_t at;
    while ((at = atomic_fetch_add(&c->next, 1)) < c->n) {
        w->started_jobs--;
        w->stalled = w->keeper_writes = 1;
        outcome_unstarted(w, c->job[at], FATE_RELEASED);
    }
}

/* Has the chunk's owner been in one handler since the last check? */
static int stands_still(struct chunk *c)
{
    uint32_t next = atomic_load(&c->next);
    int still = c->seen_fill == c->fill && c->seen_next == next;
    c->seen_fill = c->fill;
    c->seen_next = next;
    return still;
}

static void watch_chunk(struct worker *w, struct executor *e, int64_t real)
{
    struct chunk *c = &e->chunk;
    if (!stands_still(c)) {
        c->still_since_ms = real;
        return;
    }
    executor_hand_in(e);
    if (w->dray->inbox.outcomes.n)
        w->keeper_writes = 1;
    if (!waiting_in(c))
        return;
    w->steal = 1;
    if (w->idle)
        worker_wake(w);
    else if (w->dray->info.shared && real - c->still_since_ms >= PATIENCE_MS)
        give_back_chunk(w, c);
}

static void watch_ring(struct worker *w, int64_t real)
{
    if (!w->ring.n || w->started_jobs != w->seen_started) {
        w->seen_started = w->started_jobs;
        w->ring_still_since_ms = real;
        return;
    }
    if (!w->dray->info.shared || real - w->ring_still_since_ms < PATIENCE_MS)
        return;
    struct dray_attempt *a;
    w->stalled = w->keeper_writes = 1;
    while ((a = list_take(&w->ring)))
        outcome_unstarted(w, a, FATE_RELEASED);
}

int64_t leftovers_check(struct worker *w, int64_t real)
{
    /* While jobs come in a row the keeper is there in time anyway; waking it for each chunk would
       cost as much as the jobs. */
    int waiting = w->started_jobs != w->checked_started;
    w->checked_started = w->started_jobs;
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct executor *e = &w->executors[i];
        if (!waiting_in(&e->chunk) && atomic_load(&e->nfinished) == e->nhanded &&
            !(e->working && w->dray->inbox.outcomes.n))
            continue;
        waiting = 1;
        watch_chunk(w, e, real);
    }
    watch_ring(w, real);
    /* Whoever was to look for a push is in a handler that was thought to be quick. */
    if (w->look && w->idle && worker_wants(w, 1, 1))
        worker_wake(w);
    if (waiting)
        return real + WATCH_MS;
    return w->ring.n ? real + PATIENCE_MS / 4 : INT64_MAX;
}
