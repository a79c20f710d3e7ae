/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does while it lives: limits, order, looks (W6, W8, T17, O1, L2). */
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, NULL);
    return 0;
}

static int open_real(void **state)
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

static int open_slow_by_hand(void **state)
{
    (void)state;
    rig_open("slow", 1, NULL);
    return 0;
}

static void start(const struct dray_worker_options *options)
{
    struct dray_worker_options all = *options;
    if (!all.callbacks.on_start)
        all.callbacks = rig_callbacks();
    assert_ok(dray_worker_start(rig, &all, &rig_error));
}

/* Works until the queues are empty. */
static struct dray_work_report work(const struct dray_worker_options *options)
{
    struct dray_work_report report;
    struct dray_worker_options all = *options;
    all.callbacks = rig_callbacks();
    all.flags |= DRAY_WORK_UNTIL_EMPTY;
    assert_ok(dray_work(rig, &all, &report, &rig_error));
    return report;
}

static void expect_order(const char *const *ids, unsigned n)
{
    assert_int_equal(rig_saw(SAW_JOB_START), n);
    for (unsigned i = 0; i < n; i++)
        assert_string_equal(rig_event(SAW_JOB_START, i).id, ids[i]);
}

/* ---- limits ---- */

/* W8: exact, with more hands than jobs allowed, and although some fail. */
static void test_max_jobs_is_exact(void **state)
{
    struct dray_work_report report;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "f", rig_fail, NULL, NULL, &rig_error));
    for (int i = 0; i < 200; i++)
        rig_push_as(i % 3 ? "t" : "f", NULL, NULL);
    for (uint64_t most = 1; most < 40; most += 7) {
        unsigned before = rig_runs();
        struct dray_worker_options options = {.concurrency = 4, .max_jobs = most, .prefetch = 8};
        assert_ok(dray_work(rig, &options, &report, &rig_error));
        assert_int_equal(report.processed, most);
        assert_int_equal(rig_runs() - before, most);
        assert_int_equal(report.succeeded + report.failed, most);
    }
    struct dray_stats *stats = NULL;
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->processing, 0);
    dray_stats_free(stats);
}

static void test_concurrency_is_the_most(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    for (int i = 0; i < 9; i++)
        rig_push_as("t", NULL, NULL);
    start(&(struct dray_worker_options){.concurrency = 3});
    WAIT_FOR(rig_inside() == 3);
    for (int i = 0; i < 30; i++)
        rig_nap();
    assert_int_equal(rig_inside(), 3);
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 9);
    assert_int_equal(rig_most_inside(), 3);
}

static void test_the_worker_has_a_timeout(void **state)
{
    (void)state;
    start(&(struct dray_worker_options){.concurrency = 2, .timeout_ms = 60000});
    rig_advance(59999);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_saw(SAW_STOP), 0);
    struct dray_worker_state glance;
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.stopping, 0);
    rig_advance(1);
    assert_ok(dray_worker_wait(rig, NULL, &rig_error));
}

/* The outcome is in the store before the pause, and no job is taken for it; whoever sees that sees
   the pause begun. */
static void expect_pause(unsigned runs, const char *done, const char *next)
{
    WAIT_FOR(rig_runs() == runs);
    rig_stop_polling();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == runs);
    assert_string_equal(rig_state(done), "gone");
    assert_string_equal(rig_state(next), "ready");
    rig_advance(4999);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_runs(), runs);
    rig_advance(1);
}

static void test_an_executor_pauses_between_jobs(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push("t", "b");
    rig_push("t", "c");
    start(&(struct dray_worker_options){.concurrency = 1, .delay_ms = 5000});
    expect_pause(1, "a", "b");
    expect_pause(2, "b", "c");
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 3);
    assert_string_equal(rig_state("c"), "gone");
    assert_ok(dray_worker_stop(rig, NULL, &rig_error)); /* ends a pause at once */
}

/* Of a job whose outcome cannot ride in the turn that is under way, too. */
static void test_a_pause_behind_another_turn(void **state)
{
    pthread_t thread;
    int code = -1;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 1, .delay_ms = 5000});
    WAIT_FOR(rig_inside() == 1);
    rig_stop_polling();
    script_hold(SCRIPT_PUSH);
    assert_int_equal(pthread_create(&thread, NULL, rig_dispatch_main, &code), 0);
    script_wait(SCRIPT_PUSH);
    rig_release();
    WAIT_FOR(rig_outcomes() == 1);
    assert_int_equal(rig_saw(SAW_COMPLETE), 0);
    script_go(SCRIPT_PUSH);
    pthread_join(thread, NULL);
    assert_ok(code);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_string_equal(rig_state("a"), "gone");
    assert_int_equal(rig_runs(), 1);
    rig_advance(5000);
    WAIT_FOR(rig_runs() == 2);
}

/* One job alone has none behind it to pause for. */
static void test_no_pause_behind_the_last_job(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push("t", "b");
    assert_ok(
        dray_work_one(rig, &(struct dray_worker_options){.delay_ms = 5000}, NULL, &rig_error));
    assert_ok(dray_work(rig,
        &(struct dray_worker_options){.concurrency = 1, .delay_ms = 5000, .max_jobs = 1}, NULL,
        &rig_error));
    assert_int_equal(rig_runs(), 2);
}

static int open_slowly(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.worker.delay", "5s", NULL);
    return 0;
}

/* The configuration's pause holds, unless the caller means none. */
static void test_the_configured_pause(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push("t", "b");
    start(&(struct dray_worker_options){.concurrency = 1});
    WAIT_FOR(rig_runs() == 1);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_runs(), 1);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    rig_push("t", "c");
    start(&(struct dray_worker_options){.concurrency = 1, .flags = DRAY_WORK_NO_DELAY});
    WAIT_FOR(rig_runs() == 3);
}

static void test_wrong_options_are_refused(void **state)
{
    static const char *const bad[] = {"a b"};
    struct dray *other = NULL;
    (void)state;
    for (uint64_t ms = 99; ms <= 1001; ms += 902) {
        assert_int_equal(dray_worker_start(rig,
                             &(struct dray_worker_options){.poll_interval_ms = ms}, &rig_error),
            DRAY_INVALID);
        assert_non_null(strstr(rig_error.text, "from 100 to 1000"));
    }
    /* A wish that a newer version knows must not be dropped. */
    assert_int_equal(dray_open(&other,
                         &(struct dray_options){.driver = "memory", .flags = 1u << 31}, &rig_error),
        DRAY_INVALID);
    assert_int_equal(
        dray_check_config(
            &(struct dray_options){.driver = "memory", .flags = 1u << 31}, NULL, NULL, &rig_error),
        DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "flags"));
    assert_int_equal(
        dray_worker_start(rig, &(struct dray_worker_options){.flags = 1u << 31}, &rig_error),
        DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "flags"));
    assert_int_equal(
        dray_worker_start(rig, &(struct dray_worker_options){.concurrency = 100000}, &rig_error),
        DRAY_INVALID);
    assert_int_equal(dray_worker_start(rig,
                         &(struct dray_worker_options){.queues = bad, .nqueues = 1}, &rig_error),
        DRAY_INVALID);
    assert_int_equal(
        dray_worker_start(rig, &(struct dray_worker_options){.isolation = "thraed"}, &rig_error),
        DRAY_INVALID);
    assert_int_equal(
        dray_worker_start(rig, &(struct dray_worker_options){.isolation = "process"}, &rig_error),
        DRAY_UNSUPPORTED);
}

/* ---- order ---- */

/* O1 */
static void test_priority_comes_first(void **state)
{
    static const char *const order[] = {"first", "early", "a", "b", "last"};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "last", .priority = DRAY_PRIORITY(9)});
    rig_push("t", "a");
    rig_push("t", "b");
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "early", .priority = DRAY_PRIORITY(4)});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "first", .priority = DRAY_PRIORITY(0)});
    work(&(struct dray_worker_options){.concurrency = 1});
    expect_order(order, 5);
}

static void test_queues_are_tried_in_order(void **state)
{
    static const char *const queues[] = {"urgent", "mail"};
    static const char *const order[] = {"u1", "u2", "m1"};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "m1", .queue = "mail"});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "u1", .queue = "urgent"});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "d1"}); /* nobody serves it */
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "u2", .queue = "urgent"});
    work(&(struct dray_worker_options){.concurrency = 1, .queues = queues, .nqueues = 2});
    expect_order(order, 3);
    assert_string_equal(rig_state("d1"), "ready");
}

/* ---- waiting for work ---- */

static void test_a_delayed_job_runs_in_time(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    start(&(struct dray_worker_options){.concurrency = 2});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "later", .delay_ms = 3600000});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "soon", .delay_ms = 5000});
    for (int i = 0; i < 20; i++)
        rig_nap();
    rig_advance(4999);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_runs(), 0);
    rig_advance(1);
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "soon") == 1);
    rig_advance(3600000);
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "later") == 1);
}

/* L2: with a batch whose first job is for later. */
static void test_a_batch_wakes_for_its_earliest_job(void **state)
{
    struct dray_new_job jobs[] = {
        {.type = "t", .id = "later", .delay_ms = 3600000}, {.type = "t", .id = "now"}};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    start(&(struct dray_worker_options){.concurrency = 1});
    for (int i = 0; i < 10; i++)
        rig_nap();
    struct watch pushed = watch_start();
    assert_ok(dray_dispatch_batch(rig, jobs, 2, NULL, &rig_error));
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "now") == 1);
    assert_true(watch_ms(&pushed) < 500);
}

static void test_what_people_change_is_seen_at_once(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(
        rig, "f", rig_fail, NULL, &(struct dray_handler_options){.max_attempts = 1}, &rig_error));
    start(&(struct dray_worker_options){.concurrency = 1});
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "later", .delay_ms = 3600000});
    struct watch since = watch_start();
    assert_ok(dray_kick(rig, NULL, "later", &rig_error)); /* T12 */
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "later") == 1);
    rig_push("f", "dead");
    WAIT_FOR(rig_saw_job(SAW_DEAD, "dead") == 1);
    assert_ok(dray_kick(rig, NULL, "dead", &rig_error));
    WAIT_FOR(rig_saw_job(SAW_DEAD, "dead") == 2);
    assert_ok(dray_pause(rig, "default", &rig_error)); /* T17 */
    rig_push("t", "paused");
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_saw_job(SAW_JOB_START, "paused"), 0);
    assert_ok(dray_resume(rig, "default", &rig_error));
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "paused") == 1);
    assert_true(watch_ms(&since) < 5000); /* no look was due before ten seconds */
}

static void test_a_held_worker_starts_nothing(void **state)
{
    struct dray_worker_state glance;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    for (int i = 0; i < 4; i++)
        rig_push_as("t", NULL, NULL);
    start(&(struct dray_worker_options){.concurrency = 1, .prefetch = 2});
    WAIT_FOR(rig_inside() == 1);
    dray_worker_hold(rig, 1);
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.held, 1);
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    WAIT_FOR((dray_worker_get_state(rig, &glance), glance.reserved == 0));
    rig_push_as("t", NULL, NULL);
    for (int i = 0; i < 30; i++)
        rig_nap();
    assert_int_equal(rig_runs(), 1);
    struct dray_stats *stats = NULL;
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->queues[0].ready, 4); /* what was reserved has been handed back */
    dray_stats_free(stats);
    dray_worker_hold(rig, 0);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 5);
}

static void test_a_hold_does_not_outlast_the_stop(void **state)
{
    (void)state;
    start(&(struct dray_worker_options){.concurrency = 2});
    dray_worker_hold(rig, 1);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

/* W6: parked with a rising delay, then handled when somebody knows the type. */
static void test_an_unknown_type_is_parked(void **state)
{
    static const int64_t most[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    (void)state;
    rig_push("mystery", "m");
    start(&(struct dray_worker_options){.concurrency = 2});
    for (unsigned i = 0; i < 7; i++) {
        struct dray_job_info *job;
        for (;;) {
            job = rig_get("m");
            if (job->releases == i + 1)
                break;
            dray_job_info_free(job);
            rig_nap();
        }
        int64_t wait = job->run_at_ms - dray_clock_wall_ms(rig_clock);
        assert_string_equal(job->state, "delayed");
        assert_int_equal(job->attempts, 0);
        assert_true(wait <= most[i] && wait >= most[i] * 3 / 4);
        dray_job_info_free(job);
        rig_advance(wait);
    }
    assert_ok(dray_on(rig, "mystery", rig_succeed, NULL, NULL, &rig_error));
    WAIT_FOR(strcmp(rig_state("m"), "delayed") == 0 || rig_saw(SAW_COMPLETE));
    rig_advance(30000);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(rig_event(SAW_COMPLETE, 0).attempt, 1);
    assert_int_equal(rig_saw(SAW_TROUBLE) + rig_saw(SAW_ERROR), 0);
}

/* ---- until empty ---- */

static void test_until_empty_leaves_what_is_for_later(void **state)
{
    static const char *const queues[] = {"default", "paused"};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "later", .delay_ms = 60000});
    rig_push("mystery", "m");
    assert_ok(dray_pause(rig, "paused", &rig_error));
    rig_push_as("t", NULL, &(struct dray_new_job){.id = "p", .queue = "paused"});
    struct watch since = watch_start();
    struct dray_work_report report =
        work(&(struct dray_worker_options){.concurrency = 3, .queues = queues, .nqueues = 2});
    assert_int_equal(report.processed, 1);
    assert_int_equal(report.scheduled, 1);
    assert_int_equal(report.parked, 1);
    assert_int_equal(report.paused, 1);
    assert_true(watch_ms(&since) < 5000);
}

/* A job that waits for its retry holds the worker. */
static void test_until_empty_waits_for_retries(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "f", rig_fail, NULL,
        &(struct dray_handler_options){
            .max_attempts = 3, .backoff = {.strategy = DRAY_BACKOFF_FIXED, .base_ms = 50}},
        &rig_error));
    rig_push("f", "a");
    struct dray_work_report report = work(&(struct dray_worker_options){.concurrency = 2});
    assert_int_equal(report.processed, 3);
    assert_int_equal(report.failed, 3);
    assert_int_equal(report.dead, 1);
}

static void test_until_empty_ends_with_the_last_job(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 20; i++)
            rig_push_as("t", NULL, NULL);
        struct watch since = watch_start();
        struct dray_work_report report = work(&(struct dray_worker_options){.concurrency = 4});
        assert_int_equal(report.processed, 20);
        assert_true(watch_ms(&since) < 2000);
    }
}

static void test_until_empty_needs_stats(void **state)
{
    (void)state;
    struct dray_worker_options options = {.flags = DRAY_WORK_UNTIL_EMPTY};
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push_as("t", NULL, NULL);
    assert_int_equal(dray_work(rig, &options, NULL, &rig_error), DRAY_UNSUPPORTED);
    assert_non_null(strstr(rig_error.text, "bare"));
    assert_int_equal(rig_runs(), 0); /* before the first job, not after the last */
}

static int open_bare(void **state)
{
    (void)state;
    rig_open("bare", 0, NULL);
    return 0;
}

/* One item a call: outcomes and looks take turns, and nothing waits for a poll. */
static void test_one_item_a_call_is_enough(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    for (int i = 0; i < 50; i++)
        rig_push_as("t", NULL, NULL);
    struct watch since = watch_start();
    start(&(struct dray_worker_options){.concurrency = 3});
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 50);
    assert_true(watch_ms(&since) < 3000);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_real, test_max_jobs_is_exact),
        WITH(open_slow, test_max_jobs_is_exact),
        WITH(open_memory, test_concurrency_is_the_most),
        WITH(open_memory, test_the_worker_has_a_timeout),
        WITH(open_memory, test_an_executor_pauses_between_jobs),
        WITH(open_slow_by_hand, test_an_executor_pauses_between_jobs),
        WITH(open_slow_by_hand, test_a_pause_behind_another_turn),
        WITH(open_memory, test_no_pause_behind_the_last_job),
        WITH(open_slow_by_hand, test_no_pause_behind_the_last_job),
        WITH(open_slowly, test_the_configured_pause),
        WITH(open_memory, test_wrong_options_are_refused),
        WITH(open_memory, test_priority_comes_first),
        WITH(open_memory, test_queues_are_tried_in_order),
        WITH(open_memory, test_a_delayed_job_runs_in_time),
        WITH(open_memory, test_a_batch_wakes_for_its_earliest_job),
        WITH(open_slow, test_a_batch_wakes_for_its_earliest_job),
        WITH(open_real, test_what_people_change_is_seen_at_once),
        WITH(open_slow, test_what_people_change_is_seen_at_once),
        WITH(open_memory, test_a_held_worker_starts_nothing),
        WITH(open_slow, test_a_held_worker_starts_nothing),
        WITH(open_memory, test_a_hold_does_not_outlast_the_stop),
        WITH(open_memory, test_an_unknown_type_is_parked),
        WITH(open_real, test_until_empty_leaves_what_is_for_later),
        WITH(open_slow, test_until_empty_leaves_what_is_for_later),
        WITH(open_real, test_until_empty_waits_for_retries),
        WITH(open_real, test_until_empty_ends_with_the_last_job),
        WITH(open_slow, test_until_empty_ends_with_the_last_job),
        WITH(open_bare, test_until_empty_needs_stats),
        WITH(open_bare, test_one_item_a_call_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
