/* SPDX-License-Identifier: Apache-2.0 */
/* What the store answered to outcomes and renewals. */
#include "host/error.h"
#include "host/random.h"
#include "worker/events.h"
#include "worker/worker.h"

#include <stdlib.h>

#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS 2000
#define GIVE_UP_AFTER_LEASE_MS 10000

void worker_drop(struct worker *w, struct dray_attempt *a)
{
    if (a->held_prev)
        a->held_prev->held_next = a->held_next;
    else
        w->held = a->held_next;
    if (a->held_next)
        a->held_next->held_prev = a->held_prev;
    w->nheld--;
    attempt_reset(a);
    if (w->spare.n < TURN_MAX)
        list_add_first(&w->spare, a); /* still in the cache: the next to be used */
    else
        attempt_free(a);
}

void outcome_add(struct worker *w, struct dray_attempt *a)
{
    atomic_store_explicit(&a->phase, ATTEMPT_SETTLING, memory_order_relaxed);
    if (a->renewing) {
        a->settle_after_renewal = 1;
    } else {
        attempt_fold_progress(a);
        list_add(&w->dray->inbox.outcomes, a);
    }
}

void outcome_unstarted(struct worker *w, struct dray_attempt *a, enum attempt_fate fate)
{
    attempt_decide_unstarted(a, fate);
    outcome_add(w, a);
}

static void count(struct worker *w, const struct dray_attempt *a)
{
    switch (a->fate) {
    case FATE_DONE:
        w->report.succeeded++;
        break;
    case FATE_AGAIN:
        w->report.failed++;
        break;
    case FATE_DEAD:
        w->report.failed++;
        w->report.dead++;
        break;
    case FATE_EXHAUSTED:
        w->report.dead++;
        break;
    default:
        break;
    }
}

static void tell(struct worker *w, const struct dray_attempt *a)
{
    switch (a->fate) {
    case FATE_DONE:
        events_add(w->events, EVENT_COMPLETE, a, DRAY_OK, NULL, 0);
        break;
    case FATE_AGAIN:
        events_add(w->events, EVENT_ERROR, a, DRAY_FAILED, a->error, a->lease.delay_ms);
        break;
    case FATE_DEAD:
        events_add(w->events, EVENT_DEAD, a, DRAY_FAILED, a->error, 0);
        break;
    case FATE_EXHAUSTED:
        events_add(w->events, EVENT_DEAD, a, DRAY_FAILED, a->last_error, 0);
        break;
    default:
        break;
    }
}

/* A failure that no callback hears of is told to the log. */
static void log_failure(struct worker *w, const struct dray_attempt *a)
{
    const struct log *log = &w->dray->log;
    const char *id = a->lease.id.data, *type = a->lease.type.data;
    const char *why = a->fate == FATE_EXHAUSTED ? a->last_error : a->error;
    if (!why)
        why = "out of memory";
    if (a->fate == FATE_AGAIN && !w->callbacks.on_job_error)
        log_line(log, DRAY_LOG_INFO, "job %s (%s) failed at attempt %u, again in %llu ms: %s", id,
            type, a->number, (unsigned long long)a->lease.delay_ms, why);
    else if (a->fate == FATE_DEAD && !w->callbacks.on_job_dead)
        log_line(log, DRAY_LOG_WARN, "job %s (%s) failed for good at attempt %u: %s", id, type,
            a->number, why);
    else if (a->fate == FATE_EXHAUSTED && !w->callbacks.on_job_dead)
        log_line(log, DRAY_LOG_WARN, "job %s (%s) has used up its attempts and is dead: %s", id,
            type, why);
}

static void written(struct worker *w, struct dray_attempt *a)
{
    count(w, a);
    if (w->events)
        tell(w, a);
    log_failure(w, a);
    if (a->lease.verdict != DRAY_VERDICT_DONE && a->lease.verdict != DRAY_VERDICT_BURY) {
        int64_t due = time_after(clock_mono_ms(w->dray->clock), a->lease.delay_ms);
        if (due < w->next_look_ms) {
            w->next_look_ms = due;
            keeper_by(w, due);
        }
    }
    worker_drop(w, a);
}

static void lost(struct worker *w, struct dray_attempt *a, int code, const char *why)
{
    /* Nothing was lost if nothing was started: the lease ends and the job goes on. */
    if (a->fate != FATE_RELEASED && a->fate != FATE_PARKED) {
        w->report.lost++;
        log_line(&w->dray->log, DRAY_LOG_WARN, "the outcome of job %s (%s, attempt %u) is lost: %s",
            a->lease.id.data, a->lease.type.data, a->number, why);
        if (w->events)
            events_add(w->events, EVENT_WORKER_ERROR, a, code, why, 0);
    }
    worker_drop(w, a);
}

/* Kept with its token until a definite answer, or until ten seconds after its lease. */
static void try_later(
    struct worker *w, struct dray_attempt *a, int32_t answer, const struct dray_error *error)
{
    int64_t now = clock_mono_ms(w->dray->clock);
    if (a->tries == 0) {
        int64_t from = a->deadline_ms > now ? a->deadline_ms : now;
        a->give_up_ms = time_after(from, GIVE_UP_AFTER_LEASE_MS);
    }
    if (answer == DRAY_UNKNOWN)
        a->unsure = 1;
    if (now >= a->give_up_ms) {
        lost(w, a, answer, error->text);
        return;
    }
    int64_t wait = RETRY_FIRST_MS << (a->tries < 6 ? a->tries : 6);
    if (wait > RETRY_MOST_MS)
        wait = RETRY_MOST_MS;
    a->tries++;
    a->next_try_ms = real_ms() + (int64_t)((double)wait * (0.5 + 0.5 * random_unit()));
    list_add(&w->dray->inbox.later, a);
    keeper_nudge(w);
}

void outcome_answered(
    struct worker *w, struct dray_attempt *a, int32_t answer, const struct dray_error *error)
{
    switch (answer) {
    case DRAY_OK:
        written(w, a);
        break;
    case DRAY_CANCELLED:
        if (a->lease.verdict == DRAY_VERDICT_BURY) {
            lost(w, a, answer, "the driver does not bury a cancelled job");
            break;
        }
        attempt_decide_cancelled(a);
        list_add(&w->dray->inbox.outcomes, a);
        break;
    case DRAY_STALE:
    case DRAY_NOTFOUND:
        /* The try whose answer got lost: nobody else could have the job yet. Past the lease
           somebody may have, and then that try was never carried out. */
        if (a->unsure && clock_mono_ms(w->dray->clock) < a->deadline_ms)
            written(w, a);
        else if (a->unsure)
            lost(w, a, answer,
                "whether it was written is not known: no answer came before its lease ended");
        else
            lost(w, a, answer, "refused: the job has a new owner, has ended or was removed");
        break;
    case DRAY_POISONED:
    case DRAY_CORRUPT:
        worker_fail(w, error);
        lost(w, a, answer, error->text);
        break;
    case DRAY_BUSY:
    case DRAY_FULL:
    case DRAY_NOMEM:
    case DRAY_UNREACHABLE:
    case DRAY_DENIED:
    case DRAY_IO:
    case DRAY_UNKNOWN:
        try_later(w, a, answer, error);
        break;
    default:
        lost(w, a, answer, error->text[0] ? error->text : dray_code_name(answer));
    }
}

void renewal_answered(struct worker *w, struct dray_attempt *a, int32_t answer, int64_t before_ms)
{
    a->renewing = 0;
    attempt_fold_progress(a);
    if (answer == DRAY_OK || answer == DRAY_CANCELLED) {
        uint64_t third = w->lease_ms / 3;
        a->deadline_ms = before_ms + (int64_t)w->lease_ms;
        a->renew_ms = before_ms + (int64_t)(third < 5000 ? third : 5000);
        if (answer == DRAY_CANCELLED)
            attempt_stop(a, STOP_CANCELLED);
    } else if (answer == DRAY_STALE || answer == DRAY_NOTFOUND) {
        attempt_stop(a, STOP_LEASE);
        a->renew_ms = INT64_MAX;
    } else {
        /* Soon again; the deadline stands, and the flag goes up when it passes. */
        a->renew_ms = before_ms + (int64_t)(w->lease_ms / 12) + 1;
    }
    if (a->settle_after_renewal) {
        a->settle_after_renewal = 0;
        w->keeper_writes = 1; /* its executor has gone on meanwhile */
        list_add(&w->dray->inbox.outcomes, a);
    }
}

void outcomes_lose(struct worker *w)
{
    struct inbox *inbox = &w->dray->inbox;
    struct dray_attempt *a;
    while ((a = renewal_take(inbox))) {
        a->renewing = 0;
        if (a->settle_after_renewal)
            list_add(&inbox->outcomes, a);
    }
    while ((a = list_take(&inbox->outcomes)) || (a = list_take(&inbox->later)))
        lost(w, a, DRAY_UNKNOWN, "the worker ended before the store took it");
}
