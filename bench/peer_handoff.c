/* SPDX-License-Identifier: Apache-2.0 */
/* One slot and one condition variable: how fast this machine can wake a thread at all. */
#include "peers.h"
#include "stopwatch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct slot {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    int full;
    int closed;
    uint64_t picked_up_ns;
    sem_t taken;
};

static void *taker_main(void *arg)
{
    struct slot *slot = arg;
    pthread_mutex_lock(&slot->mutex);
    for (;;) {
        while (!slot->full && !slot->closed)
            pthread_cond_wait(&slot->work, &slot->mutex);
        if (!slot->full)
            break;
        slot->full = 0;
        pthread_mutex_unlock(&slot->mutex);
        slot->picked_up_ns = stopwatch_ns();
        sem_post(&slot->taken);
        pthread_mutex_lock(&slot->mutex);
    }
    pthread_mutex_unlock(&slot->mutex);
    return NULL;
}

static size_t hand_over(struct slot *slot, const struct load *load, double *latencies)
{
    uint64_t begin = stopwatch_ns();
    size_t n = 0;
    while (n < load->jobs && stopwatch_ns() - begin < load->limit_ns) {
        peer_idle_gap();
        uint64_t handed_in = stopwatch_ns();
        pthread_mutex_lock(&slot->mutex);
        slot->full = 1;
        pthread_cond_signal(&slot->work);
        pthread_mutex_unlock(&slot->mutex);
        while (sem_wait(&slot->taken) != 0) {
        }
        latencies[n++] = (double)(slot->picked_up_ns - handed_in) / 1000;
    }
    return n;
}

static int handoff_pickup(const struct load *load, struct sample *out)
{
    double *latencies = calloc(load->jobs, sizeof(*latencies));
    if (!latencies)
        return -1;
    struct slot slot = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
    };
    sem_init(&slot.taken, 0, 0);
    pthread_t taker;
    int rc = pthread_create(&taker, NULL, taker_main, &slot) == 0 ? 0 : -1;
    if (rc == 0) {
        size_t n = hand_over(&slot, load, latencies);
        pthread_mutex_lock(&slot.mutex);
        slot.closed = 1;
        pthread_cond_signal(&slot.work);
        pthread_mutex_unlock(&slot.mutex);
        pthread_join(taker, NULL);
        peer_latencies(out, latencies, n);
        out->dispatched = n;
        out->handled = n;
    }
    sem_destroy(&slot.taken);
    free(latencies);
    return rc;
}

const struct peer peer_handoff = {
    .name = "bare condvar",
    .pickup = handoff_pickup,
};
