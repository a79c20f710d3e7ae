/* SPDX-License-Identifier: Apache-2.0 */
/* What a turn asks of the store for the worker, and what becomes of the jobs that it brings. */
#include "host/error.h"
#include "host/random.h"
#include "worker/events.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

/* Reserve no more beyond the executors than handlers finished lately in so long. */
#define PREFETCH_US 5000u

#define NOTHING_AFTER_ALL_MS 10

#define PARKED_QUIET_MS 60000u

#define RETRY_LOOK_FIRST_MS 100
/* A store that came back is used again within 2 s; to be found at another place may take half. */
#define RETRY_LOOK_MOST_MS 500

static uint32_t auto_prefetch(const struct worker *w, uint32_t limit)
{
    uint32_t mean_x16 = atomic_load_explicit(&w->mean_us_x16, memory_order_relaxed);
    if (mean_x16 == 0 || w->delay_ms)
        return 0;
    uint64_t jobs = (uint64_t)PREFETCH_US * 16 * w->concurrency / mean_x16;
    return jobs < limit ? (uint32_t)jobs : limit;
}

/* One job alone is wanted. Thousands of unknown types before it are not parked one by one. */
static uint32_t wants_one(const struct worker *w, uint32_t room, uint32_t limit)
{
    if (w->found_one || room + w->idle == 0)
        return 0;
    return w->once_want < limit ? w->once_want : limit;
}

uint32_t worker_wants(const struct worker *w, uint32_t room, uint32_t limit)
{
    if (atomic_load(&w->stopping) || w->held_back)
        return 0;
    if (w->failed_looks && real_ms() < w->retry_look_ms)
        return 0;
    if (w->events && events_crowded(w->events))
        return 0;
    if (w->once)
        return wants_one(w, room, limit);
    uint32_t free_hands = room + w->idle;
    uint32_t prefetch = w->prefetch == UINT32_MAX ? auto_prefetch(w, limit) : w->prefetch;
    /* On a quick store an executor looks for itself, many jobs at a time. */
    if ((w->dray->quick && !room) || w->stalled)
        prefetch = 0;
    uint32_t want = free_hands + prefetch;
    want = want > w->ring.n ? want - w->ring.n : 0;
    if (w->max_jobs) {
        /* Chunks are counted as started when they are taken, so only the ring is left to count. */
        uint64_t claimed = w->started_jobs + w->ring.n;
        uint64_t left = w->max_jobs > claimed ? w->max_jobs - claimed : 0;
        want = want < left ? want : (uint32_t)left;
    }
    return want < limit ? want : limit;
}

/* The sinks of a turn cannot fail, so every attempt is at hand before the call. */
static uint32_t prepare_spare(struct worker *w, struct batch *b, uint32_t want)
{
    if (want)
        list_move(&b->spare, &w->spare);
    while (b->spare.n < want) {
        struct dray_attempt *a = attempt_new(w->dray);
        if (!a)
            return b->spare.n;
        list_add(&b->spare, a);
    }
    return want;
}

static void take_job(struct dray_call *call, const struct dray_job *job)
{
    struct batch *b = (struct batch *)(void *)call;
    struct dray_attempt *a = b->taken.n < b->reserve.max ? list_take(&b->spare) : NULL;
    if (!a)
        return; /* more than was asked for: the lease expires, as nobody will renew it */
    attempt_fill(a, job);
    list_add(&b->taken, a);
}

static uint64_t fresh_nonce(void)
{
    uint64_t nonce = 0;
    while (nonce == 0 && random_bytes(&nonce, sizeof(nonce)) == DRAY_OK)
        continue;
    return nonce;
}

uint32_t worker_ask(struct worker *w, struct batch *b, uint32_t room)
{
    if (atomic_load(&w->stopping))
        return 0; /* the worker may be gone before the answer */
    uint32_t want = worker_wants(w, room, b->limit);
    if (want && want < w->replay_want)
        want = w->replay_want < b->limit ? w->replay_want : b->limit;
    want = prepare_spare(w, b, want);
    if (!b->limit && (room || w->idle))
        w->look = 1; /* no place left in this turn: whoever has room must not take it for a look */
    if (!want && !w->sweep)
        return 0;
    uint64_t nonce = w->replay_nonce ? w->replay_nonce : fresh_nonce();
    if (!nonce) {
        w->sweep = 0; /* no randomness, no look: the next one is due in a second */
        list_move(&w->spare, &b->spare);
        return 0;
    }
    const struct config_keep *keep = &w->dray->config->keep;
    b->reserve = (struct dray_reserve){
        .size = (uint32_t)sizeof(b->reserve),
        .max = want,
        .queues = w->queues,
        .nqueues = w->nqueues,
        .flags = w->replay_nonce && want ? DRAY_RESERVE_REPLAY : 0,
        .lease_ms = w->lease_ms,
        .nonce = nonce,
        .owner = str_from(w->dray->owner),
        .keep_done_ms = keep->done_ms,
        .keep_dead_ms = keep->dead_ms,
        .keep_max = keep->max,
    };
    b->call.job = take_job;
    w->sweep = 0;
    w->looking = want > 0;
    if (want)
        w->look = 0;
    return 1;
}

/* ---- answers ---- */

static void look_failed(struct worker *w, struct batch *b)
{
    int code = b->turn.reserve_code;
    int64_t wait = RETRY_LOOK_FIRST_MS << (w->failed_looks < 4 ? w->failed_looks : 4);
    if (wait > RETRY_LOOK_MOST_MS)
        wait = RETRY_LOOK_MOST_MS;
    w->failed_looks++;
    w->away_for_room |= b->reserve.max > 0;
    w->retry_look_ms = real_ms() + (int64_t)((double)wait * (0.5 + 0.5 * random_unit()));
    if (code == DRAY_UNKNOWN) {
        /* As many as may have been handed out: what a repeat leaves behind waits for its lease. */
        w->replay_want = b->reserve.max > w->replay_want ? b->reserve.max : w->replay_want;
        w->replay_nonce = b->reserve.nonce;
    }
    keeper_nudge(w); /* it sleeps until the next look would have been due */
    snprintf(w->last_error, sizeof(w->last_error), "%s", b->error.text);
    if (code == DRAY_POISONED || code == DRAY_CORRUPT) {
        worker_fail(w, &b->error);
        return;
    }
    /* One lost race for a lock is no news. */
    if (code == DRAY_BUSY && w->failed_looks < 3)
        return;
    if (!w->reported_away) {
        w->reported_away = 1;
        log_line(
            &w->dray->log, DRAY_LOG_WARN, "cannot look for jobs: %s; trying again", b->error.text);
        if (w->events)
            events_add(w->events, EVENT_WORKER_ERROR, NULL, code, b->error.text, 0);
    }
}

/* A sweep alone may have nothing to write, and so succeed on a store that hands out no job (a full
   disk): only a look of the kind that failed proves that the store is back. */
static void store_answers(struct worker *w, const struct batch *b)
{
    w->failed_looks = 0;
    if (b->reserve.max)
        w->replay_nonce = w->replay_want = 0;
    else if (w->away_for_room)
        return;
    if (w->reported_away)
        log_line(&w->dray->log, DRAY_LOG_WARN, "the store answers again");
    w->away_for_room = 0;
    w->reported_away = 0;
    w->last_error[0] = 0;
}

static void look_succeeded(struct worker *w, struct batch *b)
{
    store_answers(w, b);
    int64_t now = b->before_ms;
    uint64_t next = b->call.next_ms;
    int known = next != DRAY_NEXT_UNKNOWN;
    int shared = w->dray->info.shared;
    int64_t cap = shared ? LOOK_CAP_SHARED_MS : LOOK_CAP_MS;
    if ((shared && w->watch_fd < 0) || !known)
        cap = (int64_t)w->poll_interval_ms;
    w->last_look_real_ms = real_ms();
    w->next_poll_ms = w->last_look_real_ms + cap;
    /* "More now" from a look that got nothing is a driver's mistake, and must not become a loop. */
    if (next == 0 && b->reserve.max && !b->taken.n)
        next = NOTHING_AFTER_ALL_MS;
    if (next == 0 || (!known && b->taken.n && b->taken.n == b->reserve.max))
        w->look = 1; /* whoever has room next will look; there is nothing to wait for */
    w->next_look_ms = next == 0 || next > INT64_MAX / 2 ? INT64_MAX : now + (int64_t)next;
    if (w->idle)
        keeper_by(w, w->next_look_ms); /* who sleeps has told it of a later time */
}

/* A type that nobody knows may have ten thousand jobs: the log hears of it once a minute, and of no
   more than PARKED_TYPES of them. */
static void warn_parked(struct worker *w, const struct dray_attempt *a)
{
    int64_t now = clock_mono_ms(w->dray->clock);
    struct parked_type *place = NULL;
    for (size_t i = 0; i < PARKED_TYPES; i++) {
        struct parked_type *p = &w->parked[i];
        int over = p->quiet_until_ms <= now;
        if (strcmp(p->type, a->lease.type.data) == 0) {
            place = over ? p : NULL;
            break;
        }
        if (over && !place)
            place = p;
    }
    if (!place)
        return;
    snprintf(place->type, sizeof(place->type), "%s", a->lease.type.data);
    place->quiet_until_ms = time_after(now, PARKED_QUIET_MS);
    log_line(&w->dray->log, DRAY_LOG_WARN,
        "no handler for type %s: its jobs are parked, such as %s; register a handler or remove "
        "them",
        a->lease.type.data, a->lease.id.data);
}

static void hold(struct worker *w, struct dray_attempt *a, int64_t before_ms)
{
    uint64_t third = w->lease_ms / 3;
    a->deadline_ms = before_ms + (int64_t)w->lease_ms;
    a->renew_ms = before_ms + (int64_t)(third < 5000 ? third : 5000);
    a->held_prev = NULL;
    a->held_next = w->held;
    if (w->held)
        w->held->held_prev = a;
    w->held = a;
    w->nheld++;
}

static void complete_limits(struct worker *w, struct dray_attempt *a)
{
    const struct handler *h = a->handler;
    if (!a->max_attempts)
        a->max_attempts = h && h->options.max_attempts ? h->options.max_attempts
                                                       : w->dray->handlers.default_attempts;
    if (!a->timeout_ms && h)
        a->timeout_ms = h->options.timeout_ms;
    /* Without renewals the handler must be told before its lease ends. */
    uint64_t most = w->lease_ms - w->lease_ms / 10;
    if (!w->can_extend && (!a->timeout_ms || a->timeout_ms > most))
        a->timeout_ms = most;
}

/* Worker for one job: this is the one, whether it runs or is only buried. */
static void found(struct worker *w, int settled)
{
    if (!w->once)
        return;
    w->found_one = 1;
    if (settled)
        worker_begin_stop(w);
}

static void take_one(struct worker *w, struct dray_attempt *a, int64_t before_ms)
{
    a->handler = handlers_find(&w->dray->handlers, a->lease.type.data, a->lease.type.len);
    a->lease.lease_ms = w->lease_ms;
    complete_limits(w, a);
    hold(w, a, before_ms);
    int startable = a->payload && !atomic_load(&w->stopping) && !w->held_back;
    if (w->found_one || (!a->marked && !startable)) {
        outcome_unstarted(w, a, FATE_RELEASED);
    } else if (a->marked) {
        a->fate = FATE_RELEASED; /* not started */
        attempt_decide_cancelled(a);
        outcome_add(w, a);
        found(w, 1);
    } else if (!a->handler) {
        warn_parked(w, a);
        outcome_unstarted(w, a, FATE_PARKED);
    } else if (a->number > a->max_attempts) {
        outcome_unstarted(w, a, FATE_EXHAUSTED);
        found(w, 1);
    } else {
        list_add(&w->ring, a);
        found(w, 0);
    }
}

/* Only types that nobody knows came: more at a time from now on. What came behind the one job goes
   back at once, not when its handler has ended. */
static void end_pass(struct worker *w, uint32_t taken)
{
    if (w->found_one && w->dray->inbox.outcomes.n) {
        w->keeper_writes = 1;
        keeper_nudge(w);
    }
    if (!w->found_one && taken > 0 && w->once_want < TURN_MAX)
        w->once_want *= 2;
}

int worker_take(struct worker *w, struct batch *b)
{
    struct dray_attempt *a;
    int succeeded = b->turn.reserve_code == DRAY_OK;
    w->looking = 0;
    if (!succeeded) {
        look_failed(w, b);
        while ((a = list_take(&b->taken))) {
            attempt_reset(a);
            list_add(&w->spare, a);
        }
    } else {
        look_succeeded(w, b);
        uint32_t taken = b->taken.n;
        while ((a = list_take(&b->taken)))
            take_one(w, a, b->before_ms);
        if (w->once)
            end_pass(w, taken);
    }
    list_move(&w->spare, &b->spare);
    return succeeded && b->reserve.max > 0;
}
