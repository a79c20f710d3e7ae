/* SPDX-License-Identifier: Apache-2.0 */
#include "host/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct dray_clock {
    _Atomic int64_t wall_ms;
    _Atomic int64_t mono_ms;
    pthread_mutex_t lock; /* guards the listeners; held while they are called, so that unlisten
                             returns only when no call is under way */
    struct clock_listener *listeners;
};

/* A manual clock starts late enough that "long ago" is still a positive time. */
#define MANUAL_MONO_START_MS (1000LL * 60 * 60 * 24 * 365)

struct dray_clock *dray_clock_new(int64_t wall_ms)
{
    struct dray_clock *clock = calloc(1, sizeof(*clock));
    if (!clock)
        return NULL;
    atomic_init(&clock->wall_ms, wall_ms);
    atomic_init(&clock->mono_ms, MANUAL_MONO_START_MS);
    pthread_mutex_init(&clock->lock, NULL);
    return clock;
}

void dray_clock_free(struct dray_clock *clock)
{
    if (!clock)
        return;
    pthread_mutex_destroy(&clock->lock);
    free(clock);
}

static void tell_listeners(struct dray_clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    for (struct clock_listener *l = clock->listeners; l; l = l->next)
        l->moved(l->arg);
    pthread_mutex_unlock(&clock->lock);
}

void dray_clock_advance(struct dray_clock *clock, int64_t ms)
{
    if (ms < 0)
        return;
    atomic_fetch_add(&clock->wall_ms, ms);
    atomic_fetch_add(&clock->mono_ms, ms);
    tell_listeners(clock);
}

void dray_clock_step(struct dray_clock *clock, int64_t ms)
{
    atomic_fetch_add(&clock->wall_ms, ms);
    tell_listeners(clock);
}

int64_t dray_clock_wall_ms(const struct dray_clock *clock)
{
    return atomic_load(&clock->wall_ms);
}

static int64_t system_ms(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(const struct dray_clock *clock)
{
    return clock ? atomic_load(&clock->wall_ms) : system_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(const struct dray_clock *clock)
{
    return clock ? atomic_load(&clock->mono_ms) : system_ms(CLOCK_BOOTTIME);
}

uint64_t clock_run_us(const struct dray_clock *clock)
{
    if (clock)
        return (uint64_t)atomic_load(&clock->mono_ms) * 1000;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

void clock_cond_wait(const struct dray_clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex,
    int64_t until_mono_ms)
{
    if (clock || until_mono_ms == INT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return;
    }
    int64_t left = until_mono_ms - clock_mono_ms(NULL);
    if (left <= 0)
        return;
    /* A condition variable cannot wait on CLOCK_BOOTTIME. CLOCK_MONOTONIC stands still while the
       machine is suspended, so after a long sleep a wait would end late: an hour bounds that. */
    if (left > 3600 * 1000)
        left = 3600 * 1000;
    clock_cond_pause(cond, mutex, (uint64_t)left * 1000);
}

void clock_cond_pause(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t us)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(us / 1000000);
    ts.tv_nsec += (long)(us % 1000000) * 1000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, mutex, &ts);
}

void clock_listen(struct dray_clock *clock, struct clock_listener *listener)
{
    if (!clock)
        return;
    pthread_mutex_lock(&clock->lock);
    listener->next = clock->listeners;
    clock->listeners = listener;
    pthread_mutex_unlock(&clock->lock);
}

void clock_unlisten(struct dray_clock *clock, struct clock_listener *listener)
{
    if (!clock)
        return;
    pthread_mutex_lock(&clock->lock);
    for (struct clock_listener **p = &clock->listeners; *p; p = &(*p)->next) {
        if (*p == listener) {
            *p = listener->next;
            break;
        }
    }
    pthread_mutex_unlock(&clock->lock);
}

int clock_is_manual(const struct dray_clock *clock)
{
    return clock != NULL;
}

static char boot_id[65];

static void read_boot_id(void)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file)
        return;
    if (fgets(boot_id, sizeof(boot_id), file))
        boot_id[strcspn(boot_id, "\n")] = 0;
    fclose(file);
}

const char *clock_boot_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_boot_id);
    return boot_id;
}
