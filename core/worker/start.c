/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/start.h"

#include "host/error.h"
#include "text/name.h"
#include "worker/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define CONCURRENCY_MAX 1024u

#define POLL_LEAST_MS 100

#define PICK(given, configured) ((given) ? (given) : (configured))

static int take_queues(
    struct worker *w, const struct dray_worker_options *o, struct dray_error *error)
{
    const struct config *config = w->dray->config;
    const char *const *names = o->nqueues ? o->queues : (const char *const *)config->worker.queues;
    size_t n = o->nqueues ? o->nqueues : config->worker.nqueues;
    if (!n || !names) {
        names = &config->queue;
        n = 1;
    }
    w->queues = calloc(n, sizeof(*w->queues));
    if (!w->queues)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *why = names[i] ? name_check(names[i], strlen(names[i])) : "is missing";
        if (why)
            return error_set(
                error, DRAY_INVALID, 0, "the queue %s %s", names[i] ? names[i] : "", why);
        w->queues[w->nqueues] = (struct dray_str){.data = strdup(names[i])};
        if (!w->queues[w->nqueues].data)
            return error_set(error, DRAY_NOMEM, 0, "out of memory");
        w->queues[w->nqueues++].len = strlen(names[i]);
    }
    return DRAY_OK;
}

static int take_isolation(
    const struct worker *w, const struct dray_worker_options *o, struct dray_error *error)
{
    int process = w->dray->config->worker.isolate;
    if (o->isolation) {
        process = strcmp(o->isolation, "process") == 0;
        if (!process && strcmp(o->isolation, "thread") != 0)
            return error_set(
                error, DRAY_INVALID, 0, "isolation is thread or process, not %s", o->isolation);
    }
    if (process)
        return error_set(error, DRAY_UNSUPPORTED, 0,
            "isolation: process is not there yet; commands run in processes of their own, modules "
            "with isolation: thread");
    return DRAY_OK;
}

static int take_options(
    struct worker *w, const struct dray_worker_options *o, struct dray_error *error)
{
    const struct config_worker *c = &w->dray->config->worker;
    w->concurrency = PICK(o->concurrency, c->concurrency);
    w->max_jobs = PICK(o->max_jobs, c->max_jobs);
    w->timeout_ms = PICK(o->timeout_ms, c->timeout_ms);
    w->delay_ms = o->delay_ms || (o->flags & DRAY_WORK_NO_DELAY) ? o->delay_ms : c->delay_ms;
    w->poll_interval_ms = PICK(o->poll_interval_ms, c->poll_interval_ms);
    w->shutdown_timeout_ms = PICK(o->shutdown_timeout_ms, c->shutdown_timeout_ms);
    w->prefetch = PICK(o->prefetch, c->prefetch);
    w->grace_ms = c->grace_ms;
    w->lease_ms = w->dray->config->lease_ms;
    w->until_empty = (o->flags & DRAY_WORK_UNTIL_EMPTY) != 0;
    w->callbacks = o->callbacks;
    w->can_extend = store_has(&w->dray->store->driver, "extend");
    if (o->flags & ~(uint32_t)(DRAY_WORK_UNTIL_EMPTY | DRAY_WORK_NO_DELAY))
        return error_set(
            error, DRAY_INVALID, 0, "the worker was given flags that this version does not know");
    if (w->concurrency == 0 || w->concurrency > CONCURRENCY_MAX)
        return error_set(error, DRAY_INVALID, 0, "a concurrency of %u; it is from 1 to %u",
            w->concurrency, CONCURRENCY_MAX);
    if (w->until_empty && !store_has(&w->dray->store->driver, "stats"))
        return error_set(error, DRAY_UNSUPPORTED, 0,
            "the driver %s has no stats, so nobody can tell when its queues are empty; stop the "
            "worker after a time or a number of jobs instead",
            w->dray->store->name);
    if (w->poll_interval_ms < POLL_LEAST_MS || w->poll_interval_ms > LOOK_CAP_SHARED_MS)
        return error_set(error, DRAY_INVALID, 0, "a poll interval of %llu ms; it is from %d to %d",
            (unsigned long long)w->poll_interval_ms, POLL_LEAST_MS, LOOK_CAP_SHARED_MS);
    int code = take_queues(w, o, error);
    return code == DRAY_OK ? take_isolation(w, o, error) : code;
}

static int wants_events(const struct dray_callbacks *c)
{
    return c->on_start || c->on_stop || c->on_job_complete || c->on_job_error || c->on_job_dead ||
           c->on_error;
}

static void clock_moved(void *arg)
{
    struct worker *w = arg;
    (void)eventfd_write(w->nudge_fd, 1);
}

static struct worker *allocate(struct dray *dray)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->dray = dray;
    w->nudge_fd = w->watch_fd = -1;
    list_init(&w->ring);
    list_init(&w->spare);
    w->last_call = &w->calls;
    w->next_look_ms = INT64_MAX;
    w->look = 1;
    w->started_ms = clock_mono_ms(dray->clock);
    w->next_health_ms = w->started_ms + 60000;
    w->last_health = DRAY_HEALTH_OK;
    w->fatal = (struct dray_error)DRAY_ERROR_INIT;
    clock_cond_init(&w->work);
    pthread_cond_init(&w->ended, NULL);
    clock_cond_init(&w->pause);
    return w;
}

static int prepare(
    struct worker *w, const struct dray_worker_options *o, int on_caller, struct dray_error *error)
{
    int code = take_options(w, o, error);
    if (code != DRAY_OK)
        return code;
    if (on_caller) {
        w->concurrency = 1;
        w->max_jobs = 1;
        w->once = w->on_caller = 1;
        w->once_want = 1;
    }
    w->max_executors = w->concurrency * 2; /* as many stand-ins for stuck handlers */
    w->executors = calloc(w->max_executors, sizeof(*w->executors));
    w->nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!w->executors)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    if (w->nudge_fd < 0)
        return error_set(
            error, DRAY_IO, errno, "no descriptor for the worker: %s", strerror(errno));
    if (wants_events(&w->callbacks) &&
        !(w->events = events_new(w->dray, &w->callbacks, !on_caller)))
        return error_set(error, DRAY_NOMEM, 0, "no memory or thread for callbacks");
    return DRAY_OK;
}

/* Threads cannot touch the worker before the lock is released. */
static int start_threads(struct worker *w)
{
    w->keeper_started = pthread_create(&w->keeper, NULL, keeper_main, w) == 0;
    if (w->on_caller) {
        w->executors[0].worker = w;
        w->nexecutors = w->alive = 1;
        return w->keeper_started;
    }
    uint32_t started = 0;
    while (started < w->concurrency && executor_start(w))
        started++;
    return w->keeper_started && started == w->concurrency;
}

static int install(struct worker *w, struct dray_error *error)
{
    struct dray *dray = w->dray;
    pthread_mutex_lock(&dray->lock);
    if (dray->worker) {
        pthread_mutex_unlock(&dray->lock);
        return error_set(error, DRAY_CONFLICT, 0,
            "this instance has a worker already; stop it first, or open another instance");
    }
    dray->worker = w;
    clock_listen(dray->clock, &w->listener);
    int complete = start_threads(w);
    if (w->events)
        events_add(w->events, EVENT_START, NULL, DRAY_OK, NULL, 0);
    if (!complete) {
        error_set(&w->fatal, DRAY_NOMEM, 0, "the system gives no thread for the worker");
        w->poisoned = 1;
        worker_begin_stop(w);
    }
    pthread_mutex_unlock(&dray->lock);
    if (complete)
        return DRAY_OK;
    return dray_worker_stop(dray, NULL, error);
}

int worker_start(struct worker **out, struct dray *dray, const struct dray_worker_options *options,
    int on_caller, struct dray_error *error)
{
    static const struct dray_worker_options none;
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (dray->info.runs_inline)
        return error_set(error, DRAY_INVALID, 0,
            "on the driver %s jobs run when they are dispatched; there is nothing to work on",
            dray->store->name);
    struct worker *w = allocate(dray);
    if (!w)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    w->listener = (struct clock_listener){.moved = clock_moved, .arg = w};
    code = prepare(w, options ? options : &none, on_caller, error);
    if (code == DRAY_OK) {
        *out = w;
        int installed = install(w, error);
        if (installed != DRAY_CONFLICT)
            return installed;
        code = installed;
    }
    events_free(w->events);
    w->events = NULL;
    worker_free(w);
    return code;
}
