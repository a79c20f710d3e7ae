/* SPDX-License-Identifier: Apache-2.0 */
/* An executor: turns and handlers, one after another. */
#include "host/spin.h"
#include "worker/events.h"
#include "worker/worker.h"

#include <string.h>

/* A chunk is what handlers finish in about so long: below that the lock costs more than the run. */
#define CHUNK_US 50u

/* From here on handlers are slow: their outcomes are written at once, by the keeper if the store is
   slow too, and jobs beyond the next are left to others. */
#define SLOW_US 50u

/* Outcomes may gather up to so many while there is work at hand, on stores that do I/O. */
#define GATHER 128u

/* How long an idle executor watches for a push before it sleeps; a wake-up costs more. */
#define SPIN_US 20u

/* With a busy dispatcher jobs are let gather: an executor whose last chunk was smaller than
   GATHER_FEW looks again GATHER_US after its last look. Looking for each of them would cost both
   sides the lock, its cache lines and a wake-up once a job. */
#define GATHER_FEW 32u
#define GATHER_US 40u

/* No longer than this for a dispatcher, however slow the store. */
#define LINGER_MOST_US 1000u

/* The keeper looks after a chunk that is not finished by then (leftover.c). */
#define CHUNK_WATCH_MS 20

static uint32_t mean_us(const struct worker *w)
{
    return atomic_load_explicit(&w->mean_us_x16, memory_order_relaxed) / 16;
}

static int knows_mean(const struct worker *w)
{
    return atomic_load_explicit(&w->mean_us_x16, memory_order_relaxed) != 0;
}

/* A moving mean over some sixteen runs. Races between executors only blur it. */
static void learn_mean(struct worker *w, uint64_t us)
{
    uint32_t old = atomic_load_explicit(&w->mean_us_x16, memory_order_relaxed);
    uint32_t now = us < UINT32_MAX / 32 ? (uint32_t)us * 16 : UINT32_MAX / 2;
    uint32_t mean = old ? old - old / 16 + now / 16 : now;
    atomic_store_explicit(&w->mean_us_x16, mean ? mean : 1, memory_order_relaxed);
}

/* ---- taking work ---- */

static uint32_t chunk_size(const struct worker *w)
{
    if (w->delay_ms || !knows_mean(w))
        return 1;
    uint32_t mean = mean_us(w);
    uint32_t n = mean ? CHUNK_US / mean : CHUNK_MAX;
    if (n < 1)
        return 1;
    return n < CHUNK_MAX ? n : CHUNK_MAX;
}

/* Outcomes stay behind while handlers run: not for long, and if the handlers are slow the keeper
   writes them. */
static void leave_outcomes(struct worker *w)
{
    if (mean_us(w) < SLOW_US) {
        keeper_by(w, clock_mono_ms(w->dray->clock) + CHUNK_WATCH_MS);
        return;
    }
    w->keeper_writes = 1;
    if (!w->dray->leading)
        keeper_nudge(w);
}

static int fill_chunk(struct executor *e)
{
    struct worker *w = e->worker;
    struct chunk *c = &e->chunk;
    if (!w->ring.n || atomic_load(&w->stopping))
        return 0;
    uint32_t most = chunk_size(w);
    uint32_t n = 0;
    while (n < most && w->ring.n)
        c->job[n++] = list_take(&w->ring);
    c->n = n;
    c->fill++;
    atomic_store(&c->next, 0);
    w->started_jobs += n;
    if (n > 1)
        keeper_by(w, clock_mono_ms(w->dray->clock) + CHUNK_WATCH_MS);
    if (w->dray->inbox.outcomes.n && !w->dray->quick)
        leave_outcomes(w);
    return 1;
}

/* One job from the chunk of an executor that is stuck behind a slow one. */
static int steal_one(struct executor *e)
{
    struct worker *w = e->worker;
    if (!w->steal || atomic_load(&w->stopping))
        return 0;
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct chunk *c = &w->executors[i].chunk;
        if (&w->executors[i] == e || atomic_load(&c->next) >= c->n)
            continue;
        uint32_t at = atomic_fetch_add(&c->next, 1);
        if (at >= c->n)
            continue;
        e->chunk.job[0] = c->job[at];
        e->chunk.n = 1;
        e->chunk.fill++;
        atomic_store(&e->chunk.next, 0);
        return 1;
    }
    w->steal = 0;
    return 0;
}

/* There may be more for those who sleep: who slept while somebody led a look was not counted in it,
   a push that found one of us on the way has woken nobody else, and of those who may steal the
   keeper wakes one. Behind quick handlers one who is awake will be back before another would be;
   should one of them not be quick this time, the keeper sees it (leftover.c). */
static void pass_on(struct worker *w)
{
    int at_hand = w->ring.n || w->steal;
    if (!w->idle || !(at_hand || w->look))
        return;
    if (at_hand || !w->dray->quick || !knows_mean(w) || mean_us(w) >= SLOW_US)
        worker_wake(w);
    else
        keeper_by(w, clock_mono_ms(w->dray->clock) + CHUNK_WATCH_MS);
}

/* ---- running ---- */

static void tell_start(const struct worker *w, const struct dray_attempt *a)
{
    struct dray_event event = {
        .dray = w->dray,
        .id = a->lease.id.data,
        .type = a->lease.type.data,
        .queue = a->lease.queue.data,
        .name = a->name,
        .attempt = a->number,
        .max_attempts = a->max_attempts,
    };
    w->callbacks.on_job_start(&event, w->callbacks.user);
    worker_end_child(w->dray);
}

static void run_job(struct executor *e, struct dray_attempt *a)
{
    struct worker *w = e->worker;
    if (a->timeout_ms && !a->handler->command) {
        int64_t end = time_after(clock_mono_ms(w->dray->clock), a->timeout_ms);
        pthread_mutex_lock(&w->dray->lock);
        atomic_store(&a->times_out_ms, end);
        keeper_by(w, end);
        pthread_mutex_unlock(&w->dray->lock);
    }
    atomic_store_explicit(&a->phase, ATTEMPT_RUNNING, memory_order_release);
    if (w->callbacks.on_job_start)
        tell_start(w, a);
    attempt_run(a);
    worker_end_child(w->dray);
    uint64_t end_us = clock_run_us(w->dray->clock);
    a->run_us = end_us - e->clock_us;
    a->lease.run_ms = (a->run_us + 500) / 1000;
    e->clock_us = end_us;
    learn_mean(w, a->run_us);
}

/* Runs the chunk. The lock is not held. Jobs that others have stolen are theirs. */
static void run_chunk(struct executor *e)
{
    struct worker *w = e->worker;
    struct chunk *c = &e->chunk;
    uint32_t at;
    e->clock_us = clock_run_us(w->dray->clock);
    while ((at = atomic_fetch_add(&c->next, 1)) < c->n) {
        struct dray_attempt *a = c->job[at];
        if (atomic_load_explicit(&w->stopping, memory_order_relaxed))
            attempt_decide_unstarted(a, FATE_RELEASED);
        else
            run_job(e, a);
        uint32_t n = atomic_load_explicit(&e->nfinished, memory_order_relaxed);
        e->finished[n] = a;
        atomic_store_explicit(&e->nfinished, n + 1, memory_order_release);
    }
}

uint32_t executor_hand_in(struct executor *e)
{
    struct worker *w = e->worker;
    uint32_t before = e->nhanded;
    uint32_t n = atomic_load_explicit(&e->nfinished, memory_order_acquire);
    for (; e->nhanded < n; e->nhanded++) {
        struct dray_attempt *a = e->finished[e->nhanded];
        if (atomic_load_explicit(&a->phase, memory_order_relaxed) == ATTEMPT_RESERVED)
            w->started_jobs--;
        else
            w->report.processed++;
        if (a->stuck)
            w->stuck--;
        outcome_add(w, a);
    }
    return n - before;
}

/* The end of a chunk. */
static void hand_in_chunk(struct executor *e)
{
    e->worker->stalled = 0;
    executor_hand_in(e);
    e->nhanded = 0;
    atomic_store_explicit(&e->nfinished, 0, memory_order_relaxed);
}

/* There is more to run: do the outcomes wait no longer, or does the keeper see to them? */
static int gathered_enough(struct worker *w)
{
    if (mean_us(w) < SLOW_US && w->dray->inbox.outcomes.n >= GATHER)
        return 1;
    leave_outcomes(w);
    return 0;
}

/* Asleep until woken or, if that comes first, for `us` (0: no end). */
static void lie_down(struct worker *w, uint64_t us)
{
    w->idle++;
    if (us)
        clock_cond_pause(&w->work, &w->dray->lock, us);
    else
        pthread_cond_wait(&w->work, &w->dray->lock);
    if (w->woken)
        w->woken--; /* whoever woke us has taken us off `idle` */
    else if (w->idle)
        w->idle--; /* a spurious wake-up, or the time is over */
}

/* A dispatcher that has just been answered is likely to be back at once. Its turn then takes the
   outcomes along and brings the next job; a turn of ours would make it wait and lead another. So an
   executor with nothing else at hand waits for it, once a push and for half a turn at most. */
static void linger(struct executor *e)
{
    struct worker *w = e->worker;
    const struct dray *dray = w->dray;
    uint64_t pushes = atomic_load_explicit(&w->pushes, memory_order_relaxed);
    uint64_t us = dray->turn_us / 2 < LINGER_MOST_US ? dray->turn_us / 2 : LINGER_MOST_US;
    if (pushes == e->lingered_at || w->look || w->calls || dray->leading || dray->inbox.groups ||
        w->once || atomic_load(&w->stopping) || !us)
        return;
    e->lingered_at = pushes;
    w->lingering++;
    lie_down(w, us);
    w->lingering--;
}

/* Writes the outcomes now, unless it pays to let more gather. Returns 1 after a turn, which has
   looked for jobs, too. */
static int write_outcomes(struct executor *e)
{
    struct worker *w = e->worker;
    struct dray *dray = w->dray;
    if (!dray->inbox.outcomes.n)
        return 0;
    if (!dray->quick && !w->ring.n)
        linger(e);
    int stopping = atomic_load(&w->stopping);
    if (!dray->quick && w->ring.n && !stopping && !gathered_enough(w))
        return 0;
    if (!dray->inbox.outcomes.n || dray->leading)
        return 0;
    turn_lead(dray, stopping ? 0 : 1);
    return 1;
}

/* What has been done is written before: a pause may be long, and the process may end in it. No job
   is taken for this executor meanwhile. */
static void pause_between_jobs(struct worker *w)
{
    struct dray *dray = w->dray;
    while (dray->inbox.outcomes.n && !dray->leading)
        turn_lead(dray, 0);
    if (dray->inbox.outcomes.n)
        w->keeper_writes = 1; /* as soon as the turn under way has ended */
    int64_t until = time_after(clock_mono_ms(dray->clock), w->delay_ms);
    while (!atomic_load(&w->stopping) && clock_mono_ms(dray->clock) < until)
        clock_cond_wait(dray->clock, &w->pause, &dray->lock, until);
}

/* Before the look that follows a small chunk on a quick store: see GATHER_FEW. The lock is given up
   meanwhile. */
static void let_gather(struct executor *e, uint32_t had)
{
    struct worker *w = e->worker;
    uint64_t until = e->looked_us + GATHER_US;
    e->looked_us = e->clock_us;
    if (!w->dray->quick || had >= GATHER_FEW || e->clock_us >= until || w->ring.n || w->spinning ||
        w->calls || w->once || clock_is_manual(w->dray->clock))
        return;
    w->spinning = 1;
    pthread_mutex_unlock(&w->dray->lock);
    /* Only the clock is watched: a look at what the dispatchers write would slow them down. */
    do {
        for (int i = 0; i < 32; i++)
            spin_pause();
        e->looked_us = clock_run_us(NULL);
    } while (e->looked_us < until);
    instance_lock(w->dray);
    w->spinning = 0;
}

static int run_call(struct executor *e)
{
    struct worker *w = e->worker;
    struct inline_call *call = w->calls;
    if (!call)
        return 0;
    w->calls = call->next;
    if (!w->calls)
        w->last_call = &w->calls;
    if (w->idle && (w->calls || w->ring.n || w->look))
        worker_wake(w); /* one wake-up may have stood for several wishes */
    e->working = 1;
    pthread_mutex_unlock(&w->dray->lock);
    int result = call->fn(call->arg);
    worker_end_child(w->dray);
    pthread_mutex_lock(&w->dray->lock);
    e->working = 0;
    call->result = result;
    pthread_cond_signal(&call->finished);
    call->done = 1;
    return 1;
}

/* ---- waiting ---- */

/* Watches for a push for a moment: on a quick store with a busy dispatcher the next job is here
   before a sleeper would be awake. One executor at a time. */
static int spin(struct worker *w)
{
    if (!w->dray->quick || w->spinning || clock_is_manual(w->dray->clock))
        return 0;
    uint64_t seen = atomic_load_explicit(&w->pushes, memory_order_relaxed);
    w->spinning = 1;
    pthread_mutex_unlock(&w->dray->lock);
    uint64_t end = clock_run_us(NULL) + SPIN_US;
    int found = 0;
    do {
        for (int i = 0; i < 64 && !found; i++) {
            found = atomic_load_explicit(&w->pushes, memory_order_acquire) != seen;
            spin_pause();
        }
    } while (!found && clock_run_us(NULL) < end);
    instance_lock(w->dray);
    w->spinning = 0;
    return found || atomic_load_explicit(&w->pushes, memory_order_relaxed) != seen;
}

static void sleep_idle(struct worker *w)
{
    keeper_by(w, w->next_look_ms);
    /* With a look to come this is not for long: the end of the turn under way wakes us. */
    if (w->watch_fd >= 0 && w->keeper_asleep && !w->watching && !w->look)
        keeper_nudge(w);
    lie_down(w, 0);
}

/* Somebody leads a turn, and its end wakes us if there is work. Who has to know whether anything is
   left looks for itself. */
static void sleep_while_led(struct worker *w)
{
    if (!w->looking || w->once || w->until_empty)
        w->look = 1;
    sleep_idle(w);
}

/* A look has found nothing: what now? */
static void found_nothing(struct worker *w)
{
    if (w->once)
        worker_begin_stop(w);
    if (w->failed_looks)
        return;
    if (w->until_empty) {
        w->check_empty = 1;
        keeper_nudge(w);
    }
}

static int has_work(const struct worker *w)
{
    return w->ring.n || w->calls || w->dray->inbox.outcomes.n ||
           (w->look && worker_wants(w, 1, 1)) || atomic_load(&w->stopping);
}

static int surplus(const struct worker *w)
{
    return w->alive - w->stuck > w->concurrency;
}

static int limits_reached(const struct worker *w)
{
    return w->max_jobs && w->report.processed >= w->max_jobs;
}

/* Runs the chunk, and sees to its outcomes as write_outcomes does, or pauses behind them. */
static int finish_chunk(struct executor *e)
{
    struct worker *w = e->worker;
    e->working = 1;
    pthread_mutex_unlock(&w->dray->lock);
    run_chunk(e);
    instance_lock(w->dray);
    e->working = 0;
    if (w->expired)
        return 0;
    uint32_t had = atomic_load_explicit(&e->nfinished, memory_order_relaxed);
    hand_in_chunk(e);
    if (limits_reached(w))
        worker_begin_stop(w);
    if (w->delay_ms) {
        pause_between_jobs(w);
        return 0;
    }
    let_gather(e, had);
    return write_outcomes(e);
}

static void work(struct executor *e)
{
    struct worker *w = e->worker;
    struct dray *dray = w->dray;
    int looked = 0; /* for jobs, and the lock has been held since */
    while (!w->expired && !surplus(w)) {
        if (run_call(e)) {
            looked = 0;
        } else if (steal_one(e) || fill_chunk(e)) {
            pass_on(w);
            looked = finish_chunk(e);
        } else if (atomic_load(&w->stopping)) {
            return; /* what is left in the inbox is the keeper's */
        } else if (dray->leading) {
            sleep_while_led(w);
            looked = 0;
        } else if (!looked || has_work(w) || dray->inbox.groups) {
            turn_lead(dray, 1);
            looked = 1;
        } else {
            found_nothing(w);
            if (!atomic_load(&w->stopping) && !spin(w) && !has_work(w) && !dray->leading)
                sleep_idle(w);
            looked = 0;
        }
    }
}

void executor_run(struct executor *e)
{
    const struct dray *before = worker_enter(e->worker->dray);
    work(e);
    worker_leave(before);
}

void *executor_main(void *arg)
{
    struct executor *e = arg;
    struct worker *w = e->worker;
    struct dray *dray = w->dray;
    pthread_setname_np(pthread_self(), "dray-executor"); /* for top and gdb */
    pthread_mutex_lock(&dray->lock);
    executor_run(e);
    if (w->ring.n || w->look || w->calls)
        worker_wake(w); /* it may have been woken for something that it leaves to others */
    w->alive--;
    e->exited = 1;
    int last = 0;
    if (e->orphan) {
        /* Too late for whoever stopped the worker: the lease has been left to expire. */
        dray->abandoned--;
        last = --w->users == 0;
    } else {
        keeper_nudge(w);
        pthread_cond_broadcast(&w->ended);
    }
    pthread_mutex_unlock(&dray->lock);
    if (last)
        worker_free(w);
    return NULL;
}

/* A place for another executor: that of a stand-in's predecessor which came back and went, or a new
   one. */
static struct executor *free_place(struct worker *w)
{
    for (uint32_t i = 0; i < w->nexecutors; i++) {
        struct executor *e = &w->executors[i];
        if (e->exited) {
            if (e->has_thread)
                pthread_detach(e->thread); /* it never touches its place again */
            e->has_thread = 0;
            return e;
        }
    }
    return w->nexecutors < w->max_executors ? &w->executors[w->nexecutors] : NULL;
}

int executor_start(struct worker *w)
{
    struct executor *e = free_place(w);
    if (!e)
        return 0;
    e->worker = w;
    if (pthread_create(&e->thread, NULL, executor_main, e) != 0)
        return 0;
    e->exited = 0;
    e->has_thread = 1;
    if (e == &w->executors[w->nexecutors])
        w->nexecutors++;
    w->alive++;
    return 1;
}
