/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/instance.h"

#include "host/error.h"
#include "host/fork.h"
#include "host/spin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUDGET_MS 5000u

struct dray_str str_from(const char *text)
{
    return str_of(text, text ? strlen(text) : 0);
}

int instance_check(const struct dray *dray, struct dray_error *error)
{
    if (!dray)
        return error_set(error, DRAY_INVALID, 0, "no instance was given");
    if (dray->generation != fork_generation())
        return error_set(error, DRAY_FORKED, 0,
            "this instance was opened before a fork; open one of its own in the child");
    if (dray->closing)
        return error_set(error, DRAY_CLOSED, 0, "this instance is being closed");
    return DRAY_OK;
}

int instance_lacks(const struct dray *dray, const char *what, struct dray_error *error)
{
    return error_set(error, DRAY_UNSUPPORTED, 0, "the driver %s cannot %s; use another driver",
        dray->store->name, what);
}

static const char *durability_name(uint32_t level)
{
    static const char *const names[] = {"unknown", "volatile", "process", "host", "replicated"};
    return level < sizeof(names) / sizeof(names[0]) ? names[level] : names[0];
}

static void name_owner(struct dray *dray)
{
    char host[64];
    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "localhost");
    host[sizeof(host) - 1] = 0;
    snprintf(dray->owner, sizeof(dray->owner), "%s:%ld", host, (long)getpid());
}

static void fill_info(struct dray *dray)
{
    const struct dray_driver *driver = &dray->store->driver;
    dray->info = (struct dray_info){
        .driver = dray->store->name,
        .driver_path = dray->store->path,
        .config = dray->config->path,
        .durability = durability_name(dray->store->durability),
        .queue = dray->config->queue,
        .lease_ms = dray->config->lease_ms,
        .shared = (driver->can & DRAY_IS_SHARED) != 0,
        .runs_inline = (driver->can & DRAY_IS_INLINE) != 0,
    };
}

/* A short lock held by a thread that was descheduled is not worth a system call. */
static void init_lock(pthread_mutex_t *lock, int quick)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (quick)
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

/* The holder is in the middle of a turn of up to some 10 us; sleeping and waking takes longer. */
#define SPIN_ROUNDS 64
#define SPIN_PAUSES 8

void instance_lock(struct dray *dray)
{
    for (int round = 0; dray->quick && round < SPIN_ROUNDS; round++) {
        if (pthread_mutex_trylock(&dray->lock) == 0)
            return;
        for (int i = 0; i < SPIN_PAUSES; i++)
            spin_pause();
    }
    pthread_mutex_lock(&dray->lock);
}

/* A call may hold up a renewal, so its budget is at most a third of the lease. */
static uint32_t choose_budget(uint64_t lease_ms)
{
    uint64_t third = lease_ms / 3;
    return third < BUDGET_MS ? (uint32_t)third : BUDGET_MS;
}

static int open_parts(
    struct dray *dray, const struct dray_options *options, struct dray_error *error)
{
    int code = config_read(&dray->config, options, error);
    if (code != DRAY_OK)
        return code;
    code = store_open(&dray->store, dray->config, dray->clock, &dray->log, error);
    if (code != DRAY_OK)
        return code;
    dray->quick = (dray->store->driver.can & DRAY_IS_QUICK) != 0;
    dray->budget_ms = choose_budget(dray->config->lease_ms);
    init_lock(&dray->lock, dray->quick);
    pthread_cond_init(&dray->led, NULL);
    name_owner(dray);
    fill_info(dray);
    dray->handlers.default_attempts = dray->config->job.max_attempts;
    dray->handlers.default_backoff = dray->config->job.backoff;
    dray->handlers.default_grace_ms = dray->config->worker.grace_ms;
    if (options->flags & DRAY_OPEN_NO_HANDLERS)
        return DRAY_OK;
    return handlers_configure(dray, error);
}

static void free_parts(struct dray *dray)
{
    handlers_clear(&dray->handlers);
    if (dray->store) {
        store_close(dray->store);
        pthread_cond_destroy(&dray->led);
        pthread_mutex_destroy(&dray->lock);
    }
    if (dray->config)
        config_free(dray->config);
    free(dray);
}

int dray_open(struct dray **out, const struct dray_options *options, struct dray_error *error)
{
    static const struct dray_options none;
    if (!out)
        return error_set(error, DRAY_INVALID, 0, "dray_open needs a place for the instance");
    if (!options)
        options = &none;
    struct dray *dray = calloc(1, sizeof(*dray));
    if (!dray)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    dray->clock = options->clock;
    dray->log.fn = options->log;
    dray->log.user = options->log_user;
    dray->generation = fork_generation();
    inbox_init(&dray->inbox);
    int code = open_parts(dray, options, error);
    if (code != DRAY_OK) {
        free_parts(dray);
        return code;
    }
    *out = dray;
    return DRAY_OK;
}

int dray_close(struct dray *dray)
{
    if (!dray)
        return DRAY_OK;
    int code = instance_check(dray, NULL);
    if (code != DRAY_OK)
        return code;
    struct dray_work_report report = {0};
    code = dray_worker_stop(dray, &report, NULL);
    if (code == DRAY_INVALID)
        return code; /* from a handler or a callback */
    pthread_mutex_lock(&dray->lock);
    dray->closing = 1;
    int stuck = dray->abandoned > 0;
    pthread_mutex_unlock(&dray->lock);
    if (stuck)
        return DRAY_BUSY; /* its handlers may yet come back, and must find the instance */
    free_parts(dray);
    return DRAY_OK;
}

const struct dray_info *dray_get_info(const struct dray *dray)
{
    return &dray->info;
}
