/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending a worker. */
#include "worker/worker.h"

#include "host/error.h"
#include "text/name.h"
#include "worker/events.h"
#include "worker/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void worker_wake(struct worker *w)
{
    if (w->spinning || !w->idle || (w->woken && w->dray->quick))
        return; /* somebody is awake or about to be, and wakes the next one if there is more */
    w->idle--;
    w->woken++;
    pthread_cond_signal(&w->work);
}

void worker_notice(struct worker *w, uint64_t delay_ms)
{
    if (delay_ms > 0) {
        int64_t due = time_after(clock_mono_ms(w->dray->clock), delay_ms);
        if (due < w->next_look_ms) {
            w->next_look_ms = due;
            keeper_by(w, due);
        }
        return;
    }
    atomic_fetch_add_explicit(&w->pushes, 1, memory_order_release);
    w->look = 1;
    worker_wake(w);
}

void worker_notice_push(struct worker *w, uint64_t delay_ms, int seen)
{
    if (delay_ms == 0 && seen)
        atomic_fetch_add_explicit(&w->pushes, 1, memory_order_release);
    else
        worker_notice(w, delay_ms);
}

/* Gives back what waits in the ring and, by the rules of stealing, in the chunks. */
static void release_unstarted(struct worker *w)
{
    struct dray_attempt *a;
    while ((a = list_take(&w->ring)))
        outcome_unstarted(w, a, FATE_RELEASED);
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct chunk *c = &w->executors[i].chunk;
        while (atomic_load(&c->next) < c->n) {
            uint32_t at = atomic_fetch_add(&c->next, 1);
            if (at >= c->n)
                break;
            w->started_jobs--;
            outcome_unstarted(w, c->job[at], FATE_RELEASED);
        }
    }
}

void worker_begin_stop(struct worker *w)
{
    if (atomic_load(&w->stopping))
        return;
    int64_t now = clock_mono_ms(w->dray->clock);
    uint64_t patience = w->shutdown_timeout_ms;
    uint64_t grace = w->grace_ms < patience / 2 ? w->grace_ms : patience / 2;
    w->ends_at_ms = time_after(now, patience);
    w->cancel_at_ms = time_after(now, patience - grace);
    atomic_store(&w->stopping, 1);
    w->sweep = 0; /* nobody asks for it any more, and the keeper would insist */
    release_unstarted(w);
    pthread_cond_broadcast(&w->work);
    pthread_cond_broadcast(&w->pause);
    pthread_cond_broadcast(&w->ended);
    keeper_nudge(w);
}

void worker_fail(struct worker *w, const struct dray_error *error)
{
    if (!w->poisoned) {
        w->poisoned = 1;
        error_copy(&w->fatal, error);
        log_line(&w->dray->log, DRAY_LOG_ERROR, "the worker stops: %s", error->text);
        if (w->events)
            events_add(w->events, EVENT_WORKER_ERROR, NULL, error->code, error->text, 0);
    }
    worker_begin_stop(w);
}

void worker_free(struct worker *w)
{
    struct dray_attempt *a;
    while ((a = list_take(&w->spare)))
        attempt_free(a);
    while ((a = w->held)) {
        w->held = a->held_next;
        attempt_free(a);
    }
    if (w->nudge_fd >= 0)
        close(w->nudge_fd);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->pause);
    pthread_cond_destroy(&w->ended);
    for (uint32_t i = 0; i < w->nqueues; i++)
        free((void *)(uintptr_t)w->queues[i].data);
    free(w->queues);
    free(w->executors);
    free(w);
}

/* ---- ending ---- */

static void wait_for_keeper(struct worker *w)
{
    while (w->keeper_started && !w->keeper_exited)
        pthread_cond_wait(&w->ended, &w->dray->lock);
}

/* Executors that are in no handler only have to be scheduled to see the end. */
static void wait_for_executors(struct worker *w)
{
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct executor *e = &w->executors[i];
        while (e->has_thread && !e->exited && !e->working)
            pthread_cond_wait(&w->ended, &w->dray->lock);
    }
}

/* Lets go of executors that still run, and returns how many those are. */
static uint32_t let_go(struct worker *w)
{
    uint32_t orphans = 0;
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct executor *e = &w->executors[i];
        if (!e->has_thread || e->exited)
            continue;
        pthread_detach(e->thread);
        e->has_thread = 0;
        e->orphan = 1;
        orphans++;
    }
    return orphans;
}

/* Joins the others. The lock is not held: a thread may run destructors of the program's. */
static void join_executors(struct worker *w)
{
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        if (w->executors[i].has_thread)
            pthread_join(w->executors[i].thread, NULL);
    }
}

/* Waits for the end of a worker that is stopping or will stop by itself, and takes it down. The
   lock is held, and given up on return. */
static int finish(struct worker *w, struct dray_work_report *report, struct dray_error *error)
{
    struct dray *dray = w->dray;
    w->joining = 1;
    wait_for_keeper(w);
    wait_for_executors(w);
    calls_refuse(w);
    uint32_t orphans = let_go(w);
    w->report.running = orphans;
    if (report)
        *report = w->report;
    int code = w->poisoned ? error_copy(error, &w->fatal) : DRAY_OK;
    clock_unlisten(dray->clock, &w->listener);
    dray->worker = NULL;
    dray->abandoned += orphans;
    w->users = orphans + 1; /* and this thread */
    struct events *events = w->events;
    w->events = NULL;
    pthread_cond_broadcast(&dray->led);
    pthread_t keeper = w->keeper;
    int join_keeper = w->keeper_started;
    pthread_mutex_unlock(&dray->lock);
    if (join_keeper)
        pthread_join(keeper, NULL);
    join_executors(w);
    if (events)
        events_add(events, EVENT_STOP, NULL, code, NULL, 0);
    events_free(events);
    pthread_mutex_lock(&dray->lock);
    int last = --w->users == 0;
    pthread_mutex_unlock(&dray->lock);
    if (last)
        worker_free(w);
    return code;
}

/* A worker that somebody else already takes down is as good as gone: wait until it is. */
static void wait_until_gone(struct dray *dray)
{
    while (dray->worker && dray->worker->joining)
        pthread_cond_wait(&dray->led, &dray->lock);
}

static int end_worker(
    struct dray *dray, int stop, struct dray_work_report *report, struct dray_error *error)
{
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (report)
        memset(report, 0, sizeof(*report));
    if (worker_is_inside(dray))
        return error_set(error, DRAY_INVALID, 0,
            "a handler or callback cannot wait for its own worker; use dray_worker_request_stop");
    pthread_mutex_lock(&dray->lock);
    if (dray->worker && stop)
        worker_begin_stop(dray->worker);
    wait_until_gone(dray);
    struct worker *w = dray->worker;
    if (!w || w->on_caller) {
        pthread_mutex_unlock(&dray->lock);
        return DRAY_OK;
    }
    if (stop)
        worker_begin_stop(w); /* it may be another one than before the wait */
    return finish(w, report, error);
}

int dray_worker_stop(struct dray *dray, struct dray_work_report *report, struct dray_error *error)
{
    return end_worker(dray, 1, report, error);
}

int dray_worker_wait(struct dray *dray, struct dray_work_report *report, struct dray_error *error)
{
    return end_worker(dray, 0, report, error);
}

void dray_worker_request_stop(struct dray *dray)
{
    if (instance_check(dray, NULL) != DRAY_OK)
        return;
    pthread_mutex_lock(&dray->lock);
    if (dray->worker)
        worker_begin_stop(dray->worker);
    pthread_mutex_unlock(&dray->lock);
}

void dray_worker_hold(struct dray *dray, int hold)
{
    if (instance_check(dray, NULL) != DRAY_OK)
        return;
    pthread_mutex_lock(&dray->lock);
    struct worker *w = dray->worker;
    if (w) {
        w->held_back = hold != 0;
        if (hold)
            release_unstarted(w);
        else
            worker_notice(w, 0);
        keeper_nudge(w); /* it writes what was given back, or looks again at what is due */
    }
    pthread_mutex_unlock(&dray->lock);
}

/* ---- working ---- */

int dray_worker_start(
    struct dray *dray, const struct dray_worker_options *options, struct dray_error *error)
{
    struct worker *w = NULL;
    return worker_start(&w, dray, options, 0, error);
}

int dray_work(struct dray *dray, const struct dray_worker_options *options,
    struct dray_work_report *report, struct dray_error *error)
{
    struct worker *w = NULL;
    if (report)
        memset(report, 0, sizeof(*report));
    int code = worker_start(&w, dray, options, 0, error);
    return code == DRAY_OK ? dray_worker_wait(dray, report, error) : code;
}

int dray_work_one(struct dray *dray, const struct dray_worker_options *options,
    struct dray_work_report *report, struct dray_error *error)
{
    struct dray_work_report own;
    struct worker *w = NULL;
    if (!report)
        report = &own;
    memset(report, 0, sizeof(*report));
    int code = worker_start(&w, dray, options, 1, error);
    if (code != DRAY_OK)
        return code;
    if (w->events)
        events_run(w->events); /* the start comes first */
    pthread_mutex_lock(&dray->lock);
    executor_run(&w->executors[0]);
    w->alive--;
    w->executors[0].exited = 1;
    worker_begin_stop(w);
    keeper_nudge(w);
    int away = w->failed_looks > 0;
    struct dray_error last = DRAY_ERROR_INIT;
    error_set(&last, DRAY_UNREACHABLE, 0, "%s", w->last_error);
    code = finish(w, report, error);
    if (code == DRAY_OK && report->processed == 0 && report->dead == 0)
        return away ? error_copy(error, &last) : error_set(error, DRAY_EMPTY, 0, "no job is ready");
    return code;
}

/* ---- a glance ---- */

static void count_held(const struct worker *w, struct dray_worker_state *out)
{
    for (const struct dray_attempt *a = w->held; a; a = a->held_next) {
        int phase = atomic_load(&a->phase);
        out->running += phase == ATTEMPT_RUNNING;
        out->reserved += phase == ATTEMPT_RESERVED;
    }
}

void dray_worker_get_state(struct dray *dray, struct dray_worker_state *out)
{
    memset(out, 0, sizeof(*out));
    out->last_look_age_ms = -1;
    if (instance_check(dray, NULL) != DRAY_OK)
        return;
    pthread_mutex_lock(&dray->lock);
    const struct worker *w = dray->worker;
    if (w) {
        count_held(w, out);
        out->executors = w->alive;
        out->stuck = w->stuck;
        out->stopping = atomic_load(&w->stopping);
        out->held = w->held_back;
        if (w->last_look_real_ms)
            out->last_look_age_ms = real_ms() - w->last_look_real_ms;
        out->consuming =
            !out->stopping && !out->held && !w->failed_looks &&
            ((out->last_look_age_ms >= 0 && out->last_look_age_ms < 30000) || out->running > 0);
        out->processed = w->report.processed;
        out->succeeded = w->report.succeeded;
        out->failed = w->report.failed;
        out->dead = w->report.dead;
        out->lost = w->report.lost;
        snprintf(out->last_error, sizeof(out->last_error), "%s", w->last_error);
    }
    pthread_mutex_unlock(&dray->lock);
}
