/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NAP_MS 5
#define MAY_TAKE_MS 15 /* threads of the test itself do not keep a sleeper away longer */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t away_ms, woke_ms;

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* An absence that lasts still is in it: who asks may be back before the thread that watches. */
static int64_t away_until(int64_t now)
{
    pthread_mutex_lock(&lock);
    int64_t since = now - woke_ms;
    int64_t away = away_ms + (since > MAY_TAKE_MS ? since - NAP_MS : 0);
    pthread_mutex_unlock(&lock);
    return away;
}

static void *watch_main(void *arg)
{
    const struct timespec nap = {0, NAP_MS * 1000000};
    for (;;) {
        nanosleep(&nap, NULL);
        int64_t now = now_ms();
        int64_t away = away_until(now);
        pthread_mutex_lock(&lock);
        away_ms = away;
        woke_ms = now;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void watch_once(void)
{
    pthread_t thread;
    woke_ms = now_ms();
    if (pthread_create(&thread, NULL, watch_main, NULL) != 0) {
        perror("the thread that watches the machine");
        exit(1);
    }
    pthread_detach(thread); /* until the process ends */
}

struct watch watch_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_once);
    int64_t now = now_ms();
    return (struct watch){.started_ms = now, .away_ms = away_until(now)};
}

int64_t watch_away_ms(const struct watch *watch)
{
    return away_until(now_ms()) - watch->away_ms;
}

int64_t watch_ms(const struct watch *watch)
{
    int64_t now = now_ms();
    int64_t took = now - watch->started_ms - (away_until(now) - watch->away_ms);
    return took > 0 ? took : 0;
}
