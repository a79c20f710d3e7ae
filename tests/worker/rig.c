/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/rig.h"

#include "queue/instance.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct dray *rig;
struct dray_clock *rig_clock;
struct dray_error rig_error = DRAY_ERROR_INIT;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rig_event seen[RIG_EVENTS];
static unsigned nseen;
static _Atomic unsigned inside, runs;
static _Atomic int released, most_inside;

int64_t rig_real_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void rig_nap(void)
{
    struct timespec ts = {0, 300000};
    nanosleep(&ts, NULL);
}

/* ---- the log ---- */

#define LOG_LINES 512

static struct {
    int level;
    char text[200];
} logged[LOG_LINES];
static unsigned nlogged;

static void log_quietly(void *user, int level, const char *line)
{
    (void)user;
    if (getenv("RIG_LOG"))
        fprintf(stderr, "%d %s\n", level, line);
    pthread_mutex_lock(&lock);
    if (nlogged < LOG_LINES) {
        logged[nlogged].level = level;
        snprintf(logged[nlogged].text, sizeof(logged[nlogged].text), "%s", line);
        nlogged++;
    }
    pthread_mutex_unlock(&lock);
}

unsigned rig_logged(int level, const char *part)
{
    unsigned n = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nlogged; i++)
        n += logged[i].level == level && strstr(logged[i].text, part) != NULL;
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- the instance ---- */

void rig_open(const char *driver, int by_hand, ...)
{
    struct dray_setting settings[16];
    size_t n = 0;
    va_list args;
    va_start(args, by_hand);
    const char *key;
    while ((key = va_arg(args, const char *)))
        settings[n++] = (struct dray_setting){key, va_arg(args, const char *)};
    va_end(args);
    script_register();
    script_reset();
    nseen = nlogged = 0;
    atomic_store(&inside, 0);
    atomic_store(&runs, 0);
    atomic_store(&released, 0);
    atomic_store(&most_inside, 0);
    rig_clock = by_hand ? dray_clock_new(1700000000000) : NULL;
    struct dray_options options = {
        .driver = driver,
        .settings = settings,
        .nsettings = n,
        .clock = rig_clock,
        .log = log_quietly,
        .flags = DRAY_OPEN_NO_ENVIRONMENT,
    };
    assert_ok(dray_open(&rig, &options, &rig_error));
}

int rig_close(void **state)
{
    (void)state;
    rig_release();
    if (!rig)
        return 0;
    int code = dray_close(rig);
    rig = NULL;
    dray_clock_free(rig_clock);
    rig_clock = NULL;
    if (code != DRAY_OK)
        fprintf(stderr, "close: %s\n", dray_code_name(code));
    if (script_overlaps())
        fprintf(stderr, "%u calls of the driver overlapped\n", script_overlaps());
    return code == DRAY_OK && !script_overlaps() ? 0 : -1;
}

void rig_advance(int64_t ms)
{
    dray_clock_advance(rig_clock, ms);
}

static unsigned waiting_groups(void)
{
    pthread_mutex_lock(&rig->lock);
    unsigned n = rig->inbox.ngroups;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

unsigned rig_outcomes(void)
{
    pthread_mutex_lock(&rig->lock);
    unsigned n = rig->inbox.outcomes.n;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

void rig_stop_polling(void)
{
    pthread_mutex_lock(&rig->lock);
    rig->worker->next_poll_ms = INT64_MAX;
    keeper_nudge(rig->worker);
    pthread_mutex_unlock(&rig->lock);
}

unsigned rig_abandoned(void)
{
    pthread_mutex_lock(&rig->lock);
    unsigned n = rig->abandoned;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

void rig_reopen_abandoned(void)
{
    rig->closing = 0;
}

void *rig_dispatch_main(void *arg)
{
    int code = dray_dispatch(rig, "t", NULL, NULL, NULL, NULL);
    if (arg)
        *(int *)arg = code;
    return NULL;
}

void rig_wait_for_groups(unsigned n)
{
    WAIT_FOR(waiting_groups() >= n);
}

static int calls_wait(void)
{
    pthread_mutex_lock(&rig->lock);
    int wait = rig->worker && rig->worker->calls;
    pthread_mutex_unlock(&rig->lock);
    return wait;
}

void rig_wait_for_calls(void)
{
    WAIT_FOR(calls_wait());
}

static int are_idle(unsigned n)
{
    pthread_mutex_lock(&rig->lock);
    int idle = rig->worker && rig->worker->idle == n && !rig->leading;
    pthread_mutex_unlock(&rig->lock);
    return idle;
}

void rig_wait_for_idle(unsigned n)
{
    WAIT_FOR(are_idle(n));
}

/* ---- callbacks ---- */

static void record(enum rig_kind kind, const struct dray_event *event)
{
    pthread_mutex_lock(&lock);
    if (nseen < RIG_EVENTS) {
        struct rig_event *e = &seen[nseen++];
        memset(e, 0, sizeof(*e));
        e->kind = kind;
        snprintf(e->id, sizeof(e->id), "%s", event->id ? event->id : "");
        const char *text = event->error ? event->error : event->result;
        snprintf(e->text, sizeof(e->text), "%s", text ? text : "");
        e->attempt = event->attempt;
        e->max_attempts = event->max_attempts;
        e->retry_in_ms = event->retry_in_ms;
        e->code = event->code;
        e->will_retry = event->will_retry;
        e->thread = (uint64_t)pthread_self();
    }
    pthread_mutex_unlock(&lock);
}

static void on_start(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_START, event);
}

static void on_stop(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_STOP, event);
}

static void on_job_start(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_JOB_START, event);
}

static void on_job_complete(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_COMPLETE, event);
}

static void on_job_error(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_ERROR, event);
}

static void on_job_dead(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_DEAD, event);
}

static void on_error(const struct dray_event *event, void *user)
{
    (void)user;
    record(SAW_TROUBLE, event);
}

struct dray_callbacks rig_callbacks(void)
{
    struct dray_callbacks callbacks = {
        .on_start = on_start,
        .on_stop = on_stop,
        .on_job_start = on_job_start,
        .on_job_complete = on_job_complete,
        .on_job_error = on_job_error,
        .on_job_dead = on_job_dead,
        .on_error = on_error,
    };
    return callbacks;
}

unsigned rig_saw_job(enum rig_kind kind, const char *id)
{
    unsigned n = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nseen; i++)
        n += seen[i].kind == kind && (!id || strcmp(seen[i].id, id) == 0);
    pthread_mutex_unlock(&lock);
    return n;
}

unsigned rig_saw(enum rig_kind kind)
{
    return rig_saw_job(kind, NULL);
}

struct rig_event rig_event(enum rig_kind kind, unsigned nth)
{
    struct rig_event found = {.code = -1};
    int there = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nseen && !there; i++) {
        if (seen[i].kind == kind && nth-- == 0) {
            found = seen[i];
            there = 1;
        }
    }
    pthread_mutex_unlock(&lock);
    assert_true(there);
    return found;
}

unsigned rig_events(struct rig_event *out, unsigned most)
{
    pthread_mutex_lock(&lock);
    unsigned n = nseen < most ? nseen : most;
    memcpy(out, seen, n * sizeof(*out));
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- jobs ---- */

void rig_push_as(const char *type, const char *payload, const struct dray_new_job *more)
{
    assert_ok(dray_dispatch(rig, type, payload, more, NULL, &rig_error));
}

void rig_push(const char *type, const char *id)
{
    rig_push_as(type, NULL, &(struct dray_new_job){.id = id});
}

struct dray_job_info *rig_get(const char *id)
{
    struct dray_job_info *job = NULL;
    assert_ok(dray_get(rig, NULL, id, &job, &rig_error));
    return job;
}

const char *rig_state(const char *id)
{
    static const char *const states[] = {"ready", "delayed", "active", "dead", "done"};
    struct dray_job_info *job = NULL;
    int code = dray_get(rig, NULL, id, &job, &rig_error);
    if (code == DRAY_NOTFOUND)
        return "gone";
    assert_int_equal(code, DRAY_OK);
    size_t i = 0;
    while (i < 4 && strcmp(states[i], job->state) != 0)
        i++;
    dray_job_info_free(job);
    return states[i];
}

/* ---- handlers ---- */

static void come_in(void)
{
    int now = (int)atomic_fetch_add(&inside, 1) + 1;
    int most = atomic_load(&most_inside);
    while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
        continue;
    atomic_fetch_add(&runs, 1);
}

int rig_succeed(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    come_in();
    atomic_fetch_sub(&inside, 1);
    return DRAY_OK;
}

int rig_fail(struct dray_attempt *attempt, void *user)
{
    (void)user;
    come_in();
    atomic_fetch_sub(&inside, 1);
    return dray_attempt_fail(attempt, "no luck at attempt %u", dray_attempt_number(attempt));
}

int rig_wait(struct dray_attempt *attempt, void *user)
{
    (void)user;
    come_in();
    while (!atomic_load(&released) && !dray_attempt_cancelled(attempt))
        rig_nap();
    int told = dray_attempt_cancelled(attempt);
    atomic_fetch_sub(&inside, 1);
    return told ? DRAY_FAILED : DRAY_OK;
}

int rig_deaf(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    come_in();
    while (!atomic_load(&released))
        rig_nap();
    atomic_fetch_sub(&inside, 1);
    return DRAY_OK;
}

int rig_fail_when_released(struct dray_attempt *attempt, void *user)
{
    rig_deaf(attempt, user);
    return DRAY_FAILED;
}

void rig_hold_back(void)
{
    atomic_store(&released, 0);
}

void rig_release(void)
{
    atomic_store(&released, 1);
}

unsigned rig_inside(void)
{
    return atomic_load(&inside);
}

unsigned rig_runs(void)
{
    return atomic_load(&runs);
}

int rig_most_inside(void)
{
    return atomic_load(&most_inside);
}
