/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done reaches the store while a slow job runs on, whatever the two had in common: a chunk,
 * the executor, or the turn that brought them. On a clock that stands still, by which every handler
 * is quick and chunks are as large as they get; and without the poll of the store, which would take
 * the outcomes along in the end.
 */
#include "queue/instance.h"
#include "worker/rig.h"
#include "worker/worker.h"

#include <stdio.h>

static int open_slow(void **state)
{
    (void)state;
    rig_open("slow", 1, NULL);
    return 0;
}

static int open_quick(void **state)
{
    (void)state;
    rig_open("quick", 1, NULL);
    return 0;
}

static void start(void)
{
    struct dray_worker_options options = {.concurrency = 1, .callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
}

static void push_quick(unsigned from, unsigned to)
{
    char id[16];
    for (unsigned i = from; i < to; i++) {
        snprintf(id, sizeof(id), "%u", i);
        rig_push("t", id);
    }
}

/* How many jobs the one executor has taken with the one that it runs; no poll from here on. */
static unsigned stop_polling(void)
{
    pthread_mutex_lock(&rig->lock);
    rig->worker->next_poll_ms = INT64_MAX;
    unsigned n = rig->worker->executors[0].chunk.n;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

static void expect_states(unsigned from, unsigned to, const char *state)
{
    char id[16];
    for (unsigned i = from; i < to; i++) {
        snprintf(id, sizeof(id), "%u", i);
        assert_string_equal(rig_state(id), state);
    }
}

/* So many jobs before the slow one and behind it, `chunk` of them all in its chunk. */
static void expect_written_beside(unsigned before, unsigned behind, unsigned chunk)
{
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "slow", rig_wait, NULL, NULL, &rig_error));
    push_quick(0, before);
    rig_push("slow", "slow");
    push_quick(before, before + behind);
    start();
    WAIT_FOR(rig_runs() == before + 1 && rig_inside() == 1);
    assert_int_equal(stop_polling(), chunk);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == before);
    expect_states(0, before, "gone");
    assert_string_equal(rig_state("slow"), "active");
    expect_states(before, before + behind, "active");
    assert_int_equal(rig_inside(), 1);
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == before + 1 + behind);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

/* The first job is taken alone, as nothing is known of handlers yet. */

static void test_of_the_same_chunk(void **state)
{
    (void)state;
    expect_written_beside(1 + CHUNK_MAX / 2, CHUNK_MAX / 2 - 1, CHUNK_MAX);
}

static void test_of_the_chunk_before(void **state)
{
    (void)state;
    expect_written_beside(1 + CHUNK_MAX, 0, 1);
}

static void test_of_the_chunk_before_with_others_behind(void **state)
{
    (void)state;
    expect_written_beside(1 + CHUNK_MAX, CHUNK_MAX - 1, CHUNK_MAX);
}

static void test_of_both(void **state)
{
    (void)state;
    expect_written_beside(1 + CHUNK_MAX + 3, 4, 8);
}

/* ---- one at a time ---- */

static int take_a_millisecond(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    rig_advance(1);
    return DRAY_OK;
}

/* The executor sleeps, and the keeper without an end once it has been told that there is no poll.
 */
static int all_sleep(void)
{
    pthread_mutex_lock(&rig->lock);
    struct worker *w = rig->worker;
    int sleep = w->idle == 1 && w->keeper_asleep;
    if (sleep && w->next_poll_ms != INT64_MAX) {
        w->next_poll_ms = INT64_MAX;
        keeper_nudge(w);
        sleep = 0;
    }
    pthread_mutex_unlock(&rig->lock);
    return sleep;
}

/* Handlers that are too slow for chunks and quick enough for outcomes to gather: so many that take
   no time bring the mean down from a millisecond to that. The keeper knows of no job when the two
   of this test come, and has to be told of the one that is done. */
static void test_when_each_is_a_chunk(void **state)
{
    enum { QUICK = 50 };
    const struct dray_new_job pair[] = {
        {.type = "t", .id = "quick"}, {.type = "slow", .id = "slow"}};
    (void)state;
    assert_ok(dray_on(rig, "first", take_a_millisecond, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "slow", rig_wait, NULL, NULL, &rig_error));
    rig_push("first", "first");
    push_quick(0, QUICK);
    start();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1 + QUICK);
    WAIT_FOR(all_sleep());
    assert_ok(dray_dispatch_batch(rig, pair, 2, NULL, &rig_error));
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1 + QUICK + 1);
    assert_string_equal(rig_state("quick"), "gone");
    WAIT_FOR(rig_inside() == 1);
    assert_string_equal(rig_state("slow"), "active");
    assert_int_equal(stop_polling(), 1);
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1 + QUICK + 2);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_slow, test_of_the_same_chunk),
        WITH(open_quick, test_of_the_same_chunk),
        WITH(open_slow, test_of_the_chunk_before),
        WITH(open_quick, test_of_the_chunk_before),
        WITH(open_slow, test_of_the_chunk_before_with_others_behind),
        WITH(open_slow, test_of_both),
        WITH(open_quick, test_of_both),
        WITH(open_slow, test_when_each_is_a_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
