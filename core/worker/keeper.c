/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: everything in a worker that needs a clock or a descriptor. It runs no handler. */
#include "worker/events.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define HEALTH_EVERY_MS 60000
#define CROWDED_MS 10
#define LED_MS 20 /* another look while somebody else leads */

/* What a pass over everything found: when to look around again. */
struct agenda {
    int64_t clock_ms; /* earliest moment of the instance's clock */
    int64_t real_ms;  /* and of the clock that nobody moves */
};

int64_t real_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void keeper_nudge(struct worker *w)
{
    if (!w->keeper_asleep) {
        w->nudged = 1; /* it is at work, without the lock for a moment: it must not sleep next */
        return;
    }
    w->keeper_asleep = 0;
    (void)eventfd_write(w->nudge_fd, 1);
}

void keeper_by(struct worker *w, int64_t until_ms)
{
    if (!w->keeper_asleep || until_ms < w->keeper_until_ms)
        keeper_nudge(w);
}

static void by_clock(struct agenda *agenda, int64_t ms)
{
    if (ms < agenda->clock_ms)
        agenda->clock_ms = ms;
}

static void by_real(struct agenda *agenda, int64_t ms)
{
    if (ms < agenda->real_ms)
        agenda->real_ms = ms;
}

/* ---- what the worker holds ---- */

static void call_stuck(struct worker *w, struct dray_attempt *a)
{
    a->stuck = 1;
    w->stuck++;
    log_line(&w->dray->log, DRAY_LOG_ERROR,
        "the handler of job %s (%s) does not end %llu ms after its time; its slot is stuck",
        a->lease.id.data, a->lease.type.data, (unsigned long long)w->grace_ms);
    if (w->events)
        events_add(w->events, EVENT_WORKER_ERROR, a, DRAY_BUSY,
            "the handler does not end after its timeout; a new thread takes its place", 0);
    if (!executor_start(w))
        log_line(&w->dray->log, DRAY_LOG_ERROR,
            "no more stand-ins for stuck handlers: this worker has fewer hands now");
}

/* W2: the flag at the time-out, the slot given up after the grace time. */
static void check_timeout(
    struct worker *w, struct dray_attempt *a, int64_t now, struct agenda *agenda)
{
    int64_t end = atomic_load(&a->times_out_ms);
    if (end == 0 || a->stuck)
        return;
    if (now < end) {
        by_clock(agenda, end);
        return;
    }
    attempt_stop(a, STOP_TIMEOUT);
    int64_t stuck_at = time_after(end, w->grace_ms);
    if (now >= stuck_at)
        call_stuck(w, a);
    else
        by_clock(agenda, stuck_at);
}

static void check_lease(
    struct worker *w, struct dray_attempt *a, int64_t now, struct agenda *agenda)
{
    if (now >= a->deadline_ms)
        attempt_stop(a, STOP_LEASE);
    else
        by_clock(agenda, a->deadline_ms);
    if (a->renewing || a->stuck || !w->can_extend || a->renew_ms == INT64_MAX)
        return;
    if (now >= a->renew_ms) {
        a->renewing = 1;
        renewal_add(&w->dray->inbox, a);
    } else {
        by_clock(agenda, a->renew_ms);
    }
}

static void check_held(struct worker *w, int64_t now, struct agenda *agenda)
{
    struct dray_attempt *next;
    for (struct dray_attempt *a = w->held; a; a = next) {
        next = a->held_next;
        int phase = atomic_load(&a->phase);
        if (phase == ATTEMPT_SETTLING)
            continue;
        if (phase == ATTEMPT_RUNNING)
            check_timeout(w, a, now, agenda);
        check_lease(w, a, now, agenda);
    }
}

static void check_later(struct worker *w, int64_t real, struct agenda *agenda)
{
    struct inbox *inbox = &w->dray->inbox;
    struct attempt_list waiting = inbox->later;
    struct dray_attempt *a;
    if (!waiting.n)
        return;
    list_init(&inbox->later);
    for (uint32_t n = waiting.n; n > 0; n--) {
        a = waiting.first;
        waiting.first = a->next;
        if (real >= a->next_try_ms) {
            list_add(&inbox->outcomes, a);
        } else {
            by_real(agenda, a->next_try_ms);
            list_add(&inbox->later, a);
        }
    }
}

/* ---- looks ---- */

static void check_looks(struct worker *w, int64_t now, int64_t real, struct agenda *agenda)
{
    if (atomic_load(&w->stopping) || w->held_back)
        return;
    if (w->events && events_crowded(w->events)) {
        w->crowded = 1;
        by_real(agenda, real + CROWDED_MS);
        return;
    }
    if (w->failed_looks && real < w->retry_look_ms) {
        by_real(agenda, w->retry_look_ms);
        return;
    }
    int due = w->failed_looks || w->crowded || now >= w->next_look_ms || real >= w->next_poll_ms;
    w->crowded = 0;
    if (due) {
        /* The look itself sets the next times; these bridge the gap until it is made. */
        w->next_look_ms = INT64_MAX;
        w->next_poll_ms = real + LOOK_CAP_SHARED_MS;
        if (w->idle) {
            w->look = 1;
            worker_wake(w);
        } else {
            w->sweep = 1;
        }
    }
    by_clock(agenda, w->next_look_ms);
    by_real(agenda, w->next_poll_ms);
}

static void check_empty(struct worker *w)
{
    if (!w->check_empty || w->nheld || atomic_load(&w->stopping))
        return;
    w->check_empty = 0;
    struct dray_error error = DRAY_ERROR_INIT;
    pthread_mutex_unlock(&w->dray->lock);
    int empty = worker_is_empty(w, &error);
    pthread_mutex_lock(&w->dray->lock);
    if (empty > 0 && !w->nheld)
        worker_begin_stop(w);
    else if (empty < 0 && error.code == DRAY_UNSUPPORTED)
        worker_fail(w, &error);
}

/* ---- health ---- */

static void check_health(struct worker *w, int64_t now, struct agenda *agenda)
{
    if (now < w->next_health_ms) {
        by_clock(agenda, w->next_health_ms);
        return;
    }
    w->next_health_ms = now + HEALTH_EVERY_MS;
    by_clock(agenda, w->next_health_ms);
    if (atomic_load(&w->stopping) || w->failed_looks)
        return;
    struct dray_health health;
    pthread_mutex_unlock(&w->dray->lock);
    int code = dray_check_health(w->dray, &health, NULL);
    pthread_mutex_lock(&w->dray->lock);
    if (code != DRAY_OK || health.status == w->last_health)
        return;
    w->last_health = health.status;
    for (size_t i = 0; health.status != DRAY_HEALTH_OK && i < health.nlines; i++)
        log_line(&w->dray->log, DRAY_LOG_WARN, "health: %s", health.lines[i]);
    if (health.status == DRAY_HEALTH_OK)
        log_line(&w->dray->log, DRAY_LOG_INFO, "health: fine again");
}

/* ---- the end ---- */

static void cancel_running(struct worker *w)
{
    for (struct dray_attempt *a = w->held; a; a = a->held_next) {
        if (atomic_load(&a->phase) == ATTEMPT_RUNNING)
            attempt_stop(a, STOP_WORKER);
    }
}

static void check_stop(struct worker *w, int64_t now, struct agenda *agenda)
{
    if (!atomic_load(&w->stopping)) {
        if (!w->timeout_ms)
            return;
        int64_t end = time_after(w->started_ms, w->timeout_ms);
        if (now < end) {
            by_clock(agenda, end);
            return;
        }
        worker_begin_stop(w);
    }
    if (now >= w->cancel_at_ms)
        cancel_running(w);
    else
        by_clock(agenda, w->cancel_at_ms);
    if (now < w->ends_at_ms)
        by_clock(
            agenda, w->ends_at_ms); /* past it, whoever leads wakes us at the end of the turn */
}

/* Nothing left to do, or no time left to do it. */
static int is_over(struct worker *w, int64_t now)
{
    struct inbox *inbox = &w->dray->inbox;
    if (!atomic_load(&w->stopping))
        return 0;
    if (w->dray->leading)
        return 0; /* the turn under way may have something of ours; its end wakes us */
    if (now >= w->ends_at_ms || (w->poisoned && w->alive == 0))
        return 1;
    return w->alive == 0 && !w->nheld && !inbox->outcomes.n && !inbox->later.n &&
           !inbox->renewals.n;
}

/* ---- sleeping ---- */

static int timeout_of(
    const struct worker *w, const struct agenda *agenda, int64_t now, int64_t real)
{
    int64_t wait = agenda->real_ms == INT64_MAX ? INT64_MAX : agenda->real_ms - real;
    if (!clock_is_manual(w->dray->clock) && agenda->clock_ms != INT64_MAX &&
        agenda->clock_ms - now < wait)
        wait = agenda->clock_ms - now;
    if (wait == INT64_MAX)
        return -1;
    if (wait < 0)
        wait = 0;
    return wait < 3600 * 1000 ? (int)wait : 3600 * 1000;
}

static void sleep_until(struct worker *w, const struct agenda *agenda, int64_t now, int64_t real)
{
    struct dray *dray = w->dray;
    int timeout = timeout_of(w, agenda, now, real);
    struct pollfd fds[2] = {{.fd = w->nudge_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    /* Also while nobody idles: whoever does next need not wake us for it. What was heard stays
       readable until a look, so once is enough. */
    if (w->watch_fd >= 0 && !w->look && !w->failed_looks && !w->held_back)
        fds[1].fd = w->watch_fd;
    w->watching = fds[1].fd >= 0;
    w->keeper_asleep = 1;
    w->keeper_until_ms = agenda->clock_ms;
    if (timeout >= 0 && !clock_is_manual(dray->clock) && now + timeout < w->keeper_until_ms)
        w->keeper_until_ms = now + timeout;
    pthread_mutex_unlock(&dray->lock);
    int ready = poll(fds, 2, timeout);
    eventfd_t drained;
    if (ready > 0 && fds[0].revents)
        (void)eventfd_read(w->nudge_fd, &drained);
    pthread_mutex_lock(&dray->lock);
    w->keeper_asleep = 0;
    if (ready > 0 && fds[1].revents) {
        w->look = 1;
        worker_wake(w);
    }
}

/* One look around. Returns 0 when the worker is over. */
static int look_around(struct worker *w)
{
    struct dray *dray = w->dray;
    int64_t now = clock_mono_ms(dray->clock);
    int64_t real = real_ms();
    struct agenda agenda = {INT64_MAX, INT64_MAX};
    w->nudged = 0;
    if (clock_is_manual(dray->clock))
        pthread_cond_broadcast(&w->pause);
    check_stop(w, now, &agenda);
    if (w->poisoned)
        outcomes_lose(w);
    if (is_over(w, now))
        return 0;
    check_held(w, now, &agenda);
    by_real(&agenda, leftovers_check(w, real));
    check_later(w, real, &agenda);
    check_looks(w, now, real, &agenda);
    check_empty(w);
    check_health(w, now, &agenda);
    struct inbox *inbox = &dray->inbox;
    int writes = inbox->renewals.n || w->sweep ||
                 (inbox->outcomes.n &&
                     (w->keeper_writes || atomic_load(&w->stopping) || w->idle > w->lingering ||
                         w->held_back || w->stuck || real >= w->next_poll_ms));
    if (writes && dray->leading) {
        if (!w->idle)
            w->keeper_writes = 1; /* the leader will wake us; or an executor that idles */
        by_real(&agenda, real + LED_MS);
    } else if (writes) {
        w->keeper_writes = 0;
        turn_lead(dray, 0);
        return 1;
    }
    if (!w->nudged)
        sleep_until(w, &agenda, now, real);
    return 1;
}

/* Only the worker that an instance has may ask for the bell: another `watch` ends the one before.
 */
static void open_watch(struct worker *w)
{
    struct dray *dray = w->dray;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call;
    int32_t fd = -1;
    if (w->on_caller || !store_has(&dray->store->driver, "watch"))
        return;
    store_call_init(&call, &error, dray->budget_ms);
    turn_begin_alone(dray);
    int code = dray->store->driver.watch(dray->store->self, &call, w->queues, w->nqueues, &fd);
    turn_end_alone(dray);
    if (code == DRAY_OK && fd >= 0) {
        pthread_mutex_lock(&dray->lock);
        w->watch_fd = fd;
        pthread_mutex_unlock(&dray->lock);
    } else {
        log_line(&dray->log, DRAY_LOG_WARN,
            "cannot be woken by other processes, so this worker "
            "asks the store in intervals: %s",
            error.text);
    }
}

void *keeper_main(void *arg)
{
    struct worker *w = arg;
    struct dray *dray = w->dray;
    open_watch(w);
    pthread_setname_np(pthread_self(), "dray-keeper"); /* for top and gdb */
    pthread_mutex_lock(&dray->lock);
    while (look_around(w))
        continue;
    if (w->alive || dray->inbox.outcomes.n || dray->inbox.later.n || dray->inbox.renewals.n) {
        outcomes_lose(w);
        w->expired = 1;
    }
    w->keeper_exited = 1;
    pthread_cond_broadcast(&w->ended);
    pthread_mutex_unlock(&dray->lock);
    return NULL;
}
