/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include "stopwatch.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CROWD_MAX 64u
#define PATIENCE_S 30

struct dispatcher {
    const struct load *load;
    put_fn put;
    void *arg;
    pthread_barrier_t *start;
    uint64_t share;
    uint64_t done;
    uint64_t begun_ns, ended_ns;
    int failed;
};

/* Looks at the clock once in some 64 jobs: often enough for slow stores, too seldom to be seen in
   the figures of quick ones. A put that took long is noticed at once by its own time. */
static void hand_in(struct dispatcher *me)
{
    const struct load *load = me->load;
    uint64_t begin = stopwatch_ns();
    uint64_t unwatched = 0;
    uint64_t stride = 1;
    while (me->done < me->share) {
        uint64_t left = me->share - me->done;
        unsigned n = left < load->batch ? (unsigned)left : load->batch;
        if (me->put(me->arg, n) != 0) {
            me->failed = 1;
            return;
        }
        me->done += n;
        if (++unwatched < stride)
            continue;
        uint64_t passed = stopwatch_ns() - begin;
        if (passed > load->limit_ns || stopwatch_interrupted())
            return;
        /* As many puts as fit into a millisecond, judged by those so far. */
        stride = passed ? (me->done / n) * 1000000u / passed : 64;
        stride = stride < 1 ? 1 : stride > 64 ? 64 : stride;
        unwatched = 0;
    }
}

static void *dispatcher_main(void *arg)
{
    struct dispatcher *me = arg;
    pthread_barrier_wait(me->start);
    me->begun_ns = stopwatch_ns();
    hand_in(me);
    me->ended_ns = stopwatch_ns();
    return NULL;
}

static int dispatch_threads(struct dispatcher *crowd, unsigned n, struct handed_in *out)
{
    pthread_t threads[CROWD_MAX];
    pthread_barrier_t start;
    if (pthread_barrier_init(&start, NULL, n) != 0)
        return -1;
    struct lap begin = stopwatch_start();
    for (unsigned i = 0; i < n; i++) {
        crowd[i].start = &start;
        int error = pthread_create(&threads[i], NULL, dispatcher_main, &crowd[i]);
        if (error != 0) {
            /* The others wait at the barrier for good: nothing to rescue. */
            fprintf(stderr, "dray-bench: cannot start a thread: error %d\n", error);
            _Exit(70);
        }
    }
    uint64_t begun_ns = UINT64_MAX;
    uint64_t ended_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        begun_ns = crowd[i].begun_ns < begun_ns ? crowd[i].begun_ns : begun_ns;
        ended_ns = crowd[i].ended_ns > ended_ns ? crowd[i].ended_ns : ended_ns;
    }
    out->spent = stopwatch_since(&begin);
    out->spent.wall_ns = ended_ns - begun_ns;
    pthread_barrier_destroy(&start);
    return 0;
}

int crowd_dispatch(const struct load *load, put_fn put, void *arg, struct handed_in *out)
{
    struct dispatcher crowd[CROWD_MAX];
    unsigned n = load->dispatchers < 1 ? 1 : load->dispatchers;
    if (n > CROWD_MAX)
        n = CROWD_MAX;
    for (unsigned i = 0; i < n; i++) {
        uint64_t share = load->jobs / n + (i < load->jobs % n);
        crowd[i] = (struct dispatcher){.load = load, .put = put, .arg = arg, .share = share};
    }
    *out = (struct handed_in){.jobs = 0};
    if (n == 1) {
        struct lap begin = stopwatch_start();
        hand_in(&crowd[0]);
        out->spent = stopwatch_since(&begin);
    } else if (dispatch_threads(crowd, n, out) != 0) {
        return -1;
    }
    int failed = 0;
    for (unsigned i = 0; i < n; i++) {
        out->jobs += crowd[i].done;
        failed |= crowd[i].failed;
    }
    return failed ? -1 : 0;
}

void tally_init(struct tally *tally)
{
    atomic_init(&tally->handled, 0);
    atomic_init(&tally->expected, UINT64_MAX);
    sem_init(&tally->reached, 0, 0);
}

void tally_done(struct tally *tally)
{
    sem_destroy(&tally->reached);
}

void tally_reset(struct tally *tally)
{
    atomic_store(&tally->expected, UINT64_MAX);
    atomic_store(&tally->handled, 0);
    while (sem_trywait(&tally->reached) == 0) {
    }
}

void tally_hit(struct tally *tally)
{
    uint64_t handled = atomic_fetch_add(&tally->handled, 1) + 1;
    if (handled == atomic_load(&tally->expected))
        sem_post(&tally->reached);
}

int tally_wait(struct tally *tally, uint64_t expected)
{
    /* The waiter writes `expected` and reads `handled`, a handler the other way round: at least one
       of them sees the other's value. */
    atomic_store(&tally->expected, expected);
    uint64_t before = atomic_load(&tally->handled);
    while (before < expected) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_S;
        int rc = sem_timedwait(&tally->reached, &until);
        uint64_t now = atomic_load(&tally->handled);
        if (rc != 0 && errno == ETIMEDOUT && now == before) {
            fprintf(stderr, "dray-bench: %" PRIu64 " of %" PRIu64 " jobs never ran\n",
                expected - now, expected);
            return -1;
        }
        before = now;
    }
    return 0;
}
