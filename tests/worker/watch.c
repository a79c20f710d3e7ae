/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NAP_MS 5
#define MAY_TAKE_MS 15 /* threads of the test itself do not keep a sleeper away longer */

static _Atomic int64_t away_ms;

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *watch_main(void *arg)
{
    const struct timespec nap = {0, NAP_MS * 1000000};
    for (int64_t before = now_ms();;) {
        nanosleep(&nap, NULL);
        int64_t after = now_ms();
        if (after - before > MAY_TAKE_MS)
            atomic_fetch_add(&away_ms, after - before - NAP_MS);
        before = after;
    }
    return arg;
}

static void watch_once(void)
{
    pthread_t thread;
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
    return (struct watch){.started_ms = now_ms(), .away_ms = atomic_load(&away_ms)};
}

int64_t watch_ms(const struct watch *watch)
{
    int64_t took = now_ms() - watch->started_ms - (atomic_load(&away_ms) - watch->away_ms);
    return took > 0 ? took : 0;
}
