/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/events.h"

#include "worker/attempt.h"
#include "worker/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* So many events may wait before the worker starts nothing new. */
#define CROWD 4096

struct record {
    struct record *next;
    enum event_kind kind;
    struct dray_event event; /* its strings point into `text` */
    char text[];
};

struct events {
    struct dray *dray;
    struct dray_callbacks callbacks;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct record *first, **last;
    _Atomic size_t waiting;
    int ending, has_thread;
    pthread_t thread;
};

static dray_event_fn callback_of(const struct events *e, enum event_kind kind)
{
    switch (kind) {
    case EVENT_START:
        return e->callbacks.on_start;
    case EVENT_STOP:
        return e->callbacks.on_stop;
    case EVENT_COMPLETE:
        return e->callbacks.on_job_complete;
    case EVENT_ERROR:
        return e->callbacks.on_job_error;
    case EVENT_DEAD:
        return e->callbacks.on_job_dead;
    default:
        return e->callbacks.on_error;
    }
}

/* Copies a string into the record; NULL stays NULL. */
static const char *put(char **place, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*place, text, size);
    *place += size;
    return copy;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct record *record_new(
    const struct events *e, const struct dray_attempt *a, const char *error)
{
    const char *id = a ? a->lease.id.data : NULL;
    const char *type = a ? a->lease.type.data : NULL;
    const char *queue = a ? a->lease.queue.data : NULL;
    const char *name = a ? a->name : NULL;
    const char *result = a ? a->result : NULL;
    size_t size = size_of(id) + size_of(type) + size_of(queue) + size_of(name) + size_of(result) +
                  size_of(error);
    struct record *r = calloc(1, sizeof(*r) + size);
    if (!r)
        return NULL;
    char *place = r->text;
    r->event.dray = e->dray;
    r->event.id = put(&place, id);
    r->event.type = put(&place, type);
    r->event.queue = put(&place, queue);
    r->event.name = put(&place, name);
    r->event.result = put(&place, result);
    r->event.error = put(&place, error);
    if (a) {
        r->event.attempt = a->number;
        r->event.max_attempts = a->max_attempts;
        r->event.run_ms = a->lease.run_ms;
    }
    return r;
}

void events_add(struct events *e, enum event_kind kind, const struct dray_attempt *a, int code,
    const char *error, uint64_t retry_in_ms)
{
    if (!callback_of(e, kind))
        return;
    struct record *r = record_new(e, a, error);
    if (!r) {
        /* The job's fate is in the store; only the program does not hear of it. */
        log_line(&e->dray->log, DRAY_LOG_WARN, "out of memory: a callback was left out%s%s",
            a ? ", of job " : "", a ? a->lease.id.data : "");
        return;
    }
    pthread_mutex_lock(&e->lock);
    r->kind = kind;
    r->event.code = code;
    r->event.will_retry = kind == EVENT_ERROR;
    r->event.retry_in_ms = retry_in_ms;
    *e->last = r;
    e->last = &r->next;
    if (atomic_fetch_add(&e->waiting, 1) == 0)
        pthread_cond_signal(&e->more);
    pthread_mutex_unlock(&e->lock);
}

int events_crowded(const struct events *e)
{
    return atomic_load_explicit(&e->waiting, memory_order_relaxed) > CROWD;
}

static struct record *take(struct events *e)
{
    struct record *r = e->first;
    if (r) {
        e->first = r->next;
        if (!e->first)
            e->last = &e->first;
    }
    return r;
}

/* Calls all that wait. The lock is held, but not during a callback. */
static void call_all(struct events *e)
{
    struct record *r;
    const struct dray *before = worker_enter(e->dray);
    while ((r = take(e))) {
        pthread_mutex_unlock(&e->lock);
        callback_of(e, r->kind)(&r->event, e->callbacks.user);
        worker_end_child(e->dray);
        free(r);
        pthread_mutex_lock(&e->lock);
        atomic_fetch_sub(&e->waiting, 1);
    }
    worker_leave(before);
}

void events_run(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    call_all(e);
    pthread_mutex_unlock(&e->lock);
}

static void *events_main(void *arg)
{
    struct events *e = arg;
    pthread_setname_np(pthread_self(), "dray-events"); /* for top and gdb */
    pthread_mutex_lock(&e->lock);
    for (;;) {
        call_all(e);
        if (e->ending)
            break;
        pthread_cond_wait(&e->more, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

struct events *events_new(struct dray *dray, const struct dray_callbacks *callbacks, int thread)
{
    struct events *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->dray = dray;
    e->callbacks = *callbacks;
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->more, NULL);
    if (thread) {
        if (pthread_create(&e->thread, NULL, events_main, e) != 0) {
            free(e);
            return NULL;
        }
        e->has_thread = 1;
    }
    return e;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    if (e->has_thread) {
        pthread_mutex_lock(&e->lock);
        e->ending = 1;
        pthread_cond_signal(&e->more);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    } else {
        events_run(e);
    }
    pthread_cond_destroy(&e->more);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
