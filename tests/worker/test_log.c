/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells the log by itself: for programs without callbacks, and for people. */
#include "worker/rig.h"

#include <stdio.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.job.max_attempts", "2", "queue.job.backoff.strategy", "none",
        "queue.health.backlog", "3", "queue.memory.retry_after", "1h", NULL);
    return 0;
}

static void work_until_empty(const struct dray_callbacks *callbacks)
{
    struct dray_worker_options options = {.flags = DRAY_WORK_UNTIL_EMPTY};
    if (callbacks)
        options.callbacks = *callbacks;
    assert_ok(dray_work(rig, &options, NULL, &rig_error));
}

static int fail_on_two_lines(struct dray_attempt *attempt, void *user)
{
    (void)user;
    return dray_attempt_fail(attempt, "no route\nto host");
}

/* A program without callbacks finds its failures in the log: a line each. */
static void test_failures_are_logged(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", fail_on_two_lines, NULL, NULL, &rig_error));
    rig_push("t", "a");
    work_until_empty(NULL);
    assert_int_equal(rig_logged(DRAY_LOG_INFO, "job a (t) failed at attempt 1, again in 0 ms"), 1);
    assert_int_equal(
        rig_logged(DRAY_LOG_WARN, "job a (t) failed for good at attempt 2: no route"), 1);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "\n"), 0);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "job a"), 1);
}

/* With callbacks it is theirs to tell. */
static void test_callbacks_replace_the_log(void **state)
{
    (void)state;
    struct dray_callbacks callbacks = rig_callbacks();
    assert_ok(dray_on(rig, "t", rig_fail, NULL, NULL, &rig_error));
    rig_push("t", "a");
    work_until_empty(&callbacks);
    assert_int_equal(rig_saw(SAW_ERROR), 1);
    assert_int_equal(rig_saw(SAW_DEAD), 1);
    assert_int_equal(rig_logged(DRAY_LOG_INFO, "job a") + rig_logged(DRAY_LOG_WARN, "job a"), 0);
}

/* A job that its workers did not survive. */
static void test_a_used_up_job_is_logged(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL,
        &(struct dray_handler_options){.max_attempts = 1, .timeout_ms = 1000}, &rig_error));
    rig_push("t", "a");
    assert_ok(dray_worker_start(rig, &(struct dray_worker_options){.concurrency = 2}, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    rig_advance(6001); /* stuck: its lease is no longer renewed */
    WAIT_FOR(rig_logged(DRAY_LOG_ERROR, "its slot is stuck") == 1);
    rig_advance(3600000);
    WAIT_FOR(
        rig_logged(DRAY_LOG_WARN, "job a (t) has used up its attempts and is dead: lease expired"));
    rig_release();
}

/* Ten thousand jobs of a type that nobody knows are one line in the log, not ten thousand. */
static void test_parked_types_are_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        rig_push("mystery", NULL);
        rig_push("riddle", NULL);
    }
    work_until_empty(NULL);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "no handler for type mystery"), 1);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "no handler for type riddle"), 1);
}

/* The thresholds of queue.health: looked at once a minute, told when the state changes. */
static void test_bad_health_is_logged(void **state)
{
    (void)state;
    struct dray_worker_options options = {.concurrency = 1};
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    for (int i = 0; i < 5; i++)
        rig_push("t", NULL);
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "health: "), 0);
    for (int minute = 0; minute < 3; minute++) {
        rig_advance(60000);
        WAIT_FOR(rig_logged(DRAY_LOG_WARN, "has a backlog of 4 jobs (health.backlog: 3)") == 1);
    }
    rig_release();
    WAIT_FOR(rig_runs() == 5);
    rig_advance(60000);
    WAIT_FOR(rig_logged(DRAY_LOG_INFO, "health: fine again") == 1);
    assert_int_equal(rig_logged(DRAY_LOG_WARN, "has a backlog"), 1);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_memory, test_failures_are_logged),
        WITH(open_memory, test_callbacks_replace_the_log),
        WITH(open_memory, test_a_used_up_job_is_logged),
        WITH(open_memory, test_parked_types_are_told_once),
        WITH(open_memory, test_bad_health_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
