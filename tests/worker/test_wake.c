/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No wake-up is lost (L2). Dispatchers push one job each and wait until it has been run, again and
 * again, with small pauses that fall into every gap of the protocol. A lost wake-up would show as
 * the second or the ten of the next look.
 */
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 4 };

/* Half of the least look interval: far above any wake-up, far below a poll. */
#define BOUND_MS 500

/* Machines that run something else take longer now and then, for all threads at once; a protocol
   that loses wake-ups does so again and again. */
#define LATE_MOST (2 * THREADS)

struct lane {
    pthread_t thread;
    unsigned number, rounds, seed;
    _Atomic unsigned ran;
    unsigned late;
    int failed;
};

static struct lane lanes[THREADS];

static int arrive(struct dray_attempt *attempt, void *user)
{
    (void)user;
    unsigned lane = (unsigned)(dray_attempt_payload(attempt, NULL)[0] - '0');
    atomic_fetch_add(&lanes[lane].ran, 1);
    return DRAY_OK;
}

/* From nothing over a few turns of a loop to a little longer than an executor spins. */
static void pause_a_little(struct lane *lane)
{
    lane->seed = lane->seed * 1103515245u + 12345u;
    unsigned draw = (lane->seed >> 16) % 8;
    if (draw < 4)
        return;
    struct timespec ts = {0, (long)((lane->seed >> 8) % 60) * 1000};
    nanosleep(&ts, NULL);
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    char payload[2] = {(char)('0' + lane->number), 0};
    for (unsigned i = 0; i < lane->rounds && !lane->failed; i++) {
        struct watch start = watch_start();
        if (dray_dispatch(rig, "t", payload, NULL, NULL, NULL) != DRAY_OK) {
            lane->failed = 1;
            break;
        }
        while (atomic_load(&lane->ran) <= i && watch_ms(&start) < RIG_PATIENCE_MS)
            sched_yield();
        lane->late += watch_ms(&start) >= BOUND_MS;
        lane->failed = atomic_load(&lane->ran) <= i;
        pause_a_little(lane);
    }
    return NULL;
}

static void every_job_is_picked_up(uint32_t executors, unsigned rounds)
{
    struct dray_worker_options options = {.concurrency = executors};
    unsigned late = 0;
    assert_ok(dray_on(rig, "t", arrive, NULL, NULL, &rig_error));
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    for (unsigned i = 0; i < THREADS; i++) {
        lanes[i] = (struct lane){.number = i, .rounds = rounds, .seed = i * 7919u + executors};
        assert_int_equal(pthread_create(&lanes[i].thread, NULL, lane_main, &lanes[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(lanes[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(lanes[i].failed, 0);
        late += lanes[i].late;
    }
    assert_in_range(late, 0, LATE_MOST);
}

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 0, NULL);
    return 0;
}

static int open_slow(void **state)
{
    (void)state;
    rig_open("slow", 0, NULL);
    return 0;
}

static void test_many_executors(void **state)
{
    (void)state;
    every_job_is_picked_up(4, 3000);
}

static void test_one_executor(void **state)
{
    (void)state;
    every_job_is_picked_up(1, 2000);
}

static void test_many_executors_on_a_disk(void **state)
{
    (void)state;
    script_slow_down(50);
    every_job_is_picked_up(4, 1000);
}

/* ---- one job at a time, into complete silence ---- */

static void test_from_silence(void **state)
{
    struct dray_worker_options options = {.concurrency = 3};
    (void)state;
    lanes[0] = (struct lane){.seed = 1};
    assert_ok(dray_on(rig, "t", arrive, NULL, NULL, &rig_error));
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    for (unsigned i = 1; i <= 300; i++) {
        rig_nap();
        rig_nap();
        struct watch start = watch_start();
        rig_push_as("t", "0", NULL);
        WAIT_FOR(atomic_load(&lanes[0].ran) == i);
        assert_true(watch_ms(&start) < 2 * BOUND_MS);
    }
}

/* ---- handlers that stay ---- */

/* Each push finds the executor of the one before awake still, or on its way into the handler. */
static void test_all_get_to_work(void **state)
{
    struct dray_worker_options options = {.concurrency = 4};
    struct lane pushes = {.seed = 1};
    unsigned late = 0;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL, NULL, &rig_error));
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    for (unsigned i = 0; i < 500; i++) {
        rig_hold_back();
        struct watch start = watch_start();
        for (unsigned k = 0; k < options.concurrency; k++) {
            rig_push_as("t", "0", NULL);
            pause_a_little(&pushes);
        }
        WAIT_FOR(rig_inside() == options.concurrency);
        late += watch_ms(&start) >= BOUND_MS;
        rig_release();
        WAIT_FOR(rig_inside() == 0);
    }
    assert_in_range(late, 0, 1);
}

/* ---- with everybody else who wants the store ---- */

static _Atomic int looking;

static void *look_main(void *arg)
{
    (void)arg;
    while (atomic_load(&looking)) {
        struct dray_stats *stats = NULL;
        if (dray_get_stats(rig, NULL, &stats, NULL) == DRAY_OK)
            dray_stats_free(stats);
        rig_nap();
    }
    return NULL;
}

static void test_while_others_look(void **state)
{
    pthread_t thread[2];
    (void)state;
    atomic_store(&looking, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, look_main, NULL), 0);
    script_slow_down(20);
    every_job_is_picked_up(2, 1000);
    atomic_store(&looking, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static void *flood_main(void *arg)
{
    (void)arg;
    while (atomic_load(&looking))
        dray_dispatch(rig, "t", "0", NULL, NULL, NULL);
    return NULL;
}

/* A dispatcher that is always back at once does not keep others from being alone with the store. */
static void test_a_flood_lets_others_look(void **state)
{
    pthread_t thread[2];
    int64_t worst = 0;
    (void)state;
    script_slow_down(300);
    atomic_store(&looking, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, flood_main, NULL), 0);
    for (int i = 0; i < 50; i++) {
        struct dray_stats *stats = NULL;
        struct watch start = watch_start();
        assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
        dray_stats_free(stats);
        int64_t took = watch_ms(&start);
        worst = took > worst ? took : worst;
    }
    atomic_store(&looking, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    assert_true(worst < BOUND_MS);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_memory, test_many_executors),
        WITH(open_slow, test_many_executors),
        WITH(open_memory, test_one_executor),
        WITH(open_slow, test_one_executor),
        WITH(open_slow, test_many_executors_on_a_disk),
        WITH(open_memory, test_from_silence),
        WITH(open_slow, test_from_silence),
        WITH(open_memory, test_all_get_to_work),
        WITH(open_slow, test_all_get_to_work),
        WITH(open_slow, test_while_others_look),
        WITH(open_slow, test_a_flood_lets_others_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
