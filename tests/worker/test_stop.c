/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a worker (W4), also at bad moments. */
#include "worker/rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static int open_slow(void **state)
{
    (void)state;
    rig_open("slow", 1, NULL);
    return 0;
}

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, NULL);
    return 0;
}

static void start(const struct dray_worker_options *options)
{
    struct dray_worker_options all = *options;
    all.callbacks = rig_callbacks();
    assert_ok(dray_worker_start(rig, &all, &rig_error));
}

struct stopper {
    pthread_t thread;
    struct dray_work_report report;
    _Atomic int done;
    int code;
};

static void *stop_main(void *arg)
{
    struct stopper *s = arg;
    s->code = dray_worker_stop(rig, &s->report, NULL);
    atomic_store(&s->done, 1);
    return NULL;
}

static void begin_stop(struct stopper *s)
{
    struct dray_worker_state glance;
    atomic_store(&s->done, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, stop_main, s), 0);
    WAIT_FOR((dray_worker_get_state(rig, &glance), glance.stopping || atomic_load(&s->done)));
}

/* A stop waits no longer than it must: the clock stands still, so a worker that sleeps until its
   shutdown time would never end. */
static void end_stop(struct stopper *s)
{
    WAIT_FOR(atomic_load(&s->done));
    pthread_join(s->thread, NULL);
    assert_int_equal(s->code, DRAY_OK);
}

static void test_a_running_handler_is_waited_for(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 2});
    WAIT_FOR(rig_inside() == 1);
    begin_stop(&s);
    rig_push("t", "b"); /* nothing new is reserved */
    rig_advance(20000); /* renewal goes on */
    assert_int_equal(rig_inside(), 1);
    assert_int_equal(atomic_load(&s.done), 0);
    rig_release();
    end_stop(&s);
    assert_int_equal(s.report.succeeded, 1);
    assert_int_equal(s.report.running, 0);
    assert_string_equal(rig_state("a"), "gone");
    assert_string_equal(rig_state("b"), "ready");
    assert_int_equal(rig_event(SAW_STOP, 0).code, DRAY_OK);
}

/* What was not started goes back at once, uncharged. */
static void test_what_was_not_started_is_handed_back(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push("t", "b");
    rig_push("t", "c");
    start(&(struct dray_worker_options){.concurrency = 1, .prefetch = 2});
    WAIT_FOR(rig_inside() == 1);
    WAIT_FOR(strcmp(rig_state("c"), "active") == 0);
    begin_stop(&s);
    WAIT_FOR(strcmp(rig_state("b"), "ready") == 0 && strcmp(rig_state("c"), "ready") == 0);
    struct dray_job_info *job = rig_get("c");
    assert_int_equal(job->attempts, 0);
    dray_job_info_free(job);
    assert_int_equal(rig_inside(), 1); /* although a handler still runs */
    rig_release();
    end_stop(&s);
    assert_int_equal(s.report.processed, 1);
}

/* Near the end the handlers are told; one that returns unfinished has its job given back. */
static void test_handlers_are_told_before_the_end(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 1, .shutdown_timeout_ms = 20000});
    WAIT_FOR(rig_inside() == 1);
    begin_stop(&s);
    rig_advance(14000);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_inside(), 1);
    rig_advance(1001);
    end_stop(&s);
    assert_int_equal(s.report.running, 0);
    assert_string_equal(rig_state("a"), "ready");
    struct dray_job_info *job = rig_get("a");
    assert_int_equal(job->attempts, 0);
    assert_int_equal(job->releases, 1);
    dray_job_info_free(job);
    assert_int_equal(rig_saw(SAW_ERROR) + rig_saw(SAW_DEAD), 0);
}

/* What still runs is told, and its instance cannot be closed. */
static void test_what_still_runs_is_reported(void **state)
{
    struct stopper s;
    struct timespec instant = {0, 0};
    (void)state;
    assert_ok(dray_on(rig, "deaf", rig_deaf, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("deaf", "a");
    start(&(struct dray_worker_options){.concurrency = 2, .shutdown_timeout_ms = 1000});
    WAIT_FOR(rig_inside() == 1);
    begin_stop(&s);
    rig_advance(1001);
    end_stop(&s);
    assert_int_equal(s.report.running, 1);
    assert_string_equal(rig_state("a"), "active"); /* left to expire */
    /* Another worker can be started meanwhile. */
    rig_push("t", "b");
    start(&(struct dray_worker_options){.concurrency = 1});
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "b") == 1);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    rig_release();
    WAIT_FOR(rig_inside() == 0);
    WAIT_FOR((nanosleep(&instant, NULL), rig_abandoned() == 0));
    assert_string_equal(rig_state("a"), "active"); /* nothing was written any more */
}

static void test_a_stuck_handler_keeps_the_memory(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "deaf", rig_deaf, NULL, NULL, &rig_error));
    rig_push("deaf", "a");
    struct dray_worker_options options = {.concurrency = 1, .shutdown_timeout_ms = 1};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    struct stopper s;
    begin_stop(&s);
    rig_advance(10);
    end_stop(&s);
    assert_int_equal(dray_close(rig), DRAY_BUSY);
    assert_int_equal(dray_dispatch(rig, "t", NULL, NULL, NULL, &rig_error), DRAY_CLOSED);
    rig_release();
    WAIT_FOR(rig_inside() == 0);
    WAIT_FOR(rig_abandoned() == 0);
    rig_reopen_abandoned();
}

static _Atomic int asks, hears;

static int ask_until_closed(struct dray_attempt *attempt, void *user)
{
    (void)user;
    int64_t end = rig_real_ms() + RIG_PATIENCE_MS;
    atomic_store(&asks, 1);
    while (!atomic_load(&hears) && rig_real_ms() < end)
        atomic_store(&hears, dray_attempt_progress(attempt, "on") == DRAY_CLOSED);
    return DRAY_OK;
}

/* It may ask at any time, also just when the instance is closed. */
static void test_a_stuck_handler_hears_of_the_end(void **state)
{
    struct stopper s;
    struct dray_worker_options options = {.concurrency = 1, .shutdown_timeout_ms = 1};
    (void)state;
    atomic_store(&asks, 0);
    atomic_store(&hears, 0);
    assert_ok(dray_on(rig, "asks", ask_until_closed, NULL, NULL, &rig_error));
    rig_push("asks", "a");
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(atomic_load(&asks));
    begin_stop(&s);
    rig_advance(10);
    end_stop(&s);
    assert_int_equal(dray_close(rig), DRAY_BUSY);
    WAIT_FOR(rig_abandoned() == 0);
    assert_int_equal(atomic_load(&hears), 1);
    rig_reopen_abandoned();
}

static void *close_main(void *arg)
{
    *(int *)arg = dray_close(rig);
    return NULL;
}

/* ---- at bad moments ---- */

/* A dispatcher's turn is under way; the worker's end waits for it, and for nothing else. */
static void test_while_a_dispatcher_leads(void **state)
{
    struct stopper s;
    pthread_t dispatcher;
    struct dray_worker_state glance;
    (void)state;
    start(&(struct dray_worker_options){.concurrency = 2});
    rig_wait_for_idle(2); /* or one of them would lead */
    script_hold(SCRIPT_PUSH);
    assert_int_equal(pthread_create(&dispatcher, NULL, rig_dispatch_main, NULL), 0);
    script_wait(SCRIPT_PUSH);
    begin_stop(&s);
    WAIT_FOR((dray_worker_get_state(rig, &glance), glance.executors == 0));
    for (int i = 0; i < 10; i++)
        rig_nap(); /* the keeper finds somebody leading, and sleeps */
    assert_int_equal(atomic_load(&s.done), 0);
    script_go(SCRIPT_PUSH);
    pthread_join(dispatcher, NULL);
    end_stop(&s);
}

/* A look under way brings jobs to a worker that has begun to stop: they go back. */
static void test_while_a_look_is_under_way(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    script_hold(SCRIPT_RESERVE);
    start(&(struct dray_worker_options){.concurrency = 2});
    script_wait(SCRIPT_RESERVE);
    begin_stop(&s);
    script_go(SCRIPT_RESERVE);
    end_stop(&s);
    assert_string_equal(rig_state("a"), "ready");
    assert_int_equal(rig_runs(), 0);
}

static void test_while_a_renewal_is_under_way(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 1});
    WAIT_FOR(rig_inside() == 1);
    script_hold(SCRIPT_EXTEND);
    rig_advance(6000);
    script_wait(SCRIPT_EXTEND);
    rig_release(); /* its outcome has to wait for the renewal */
    WAIT_FOR(rig_inside() == 0);
    begin_stop(&s);
    script_go(SCRIPT_EXTEND);
    end_stop(&s);
    assert_int_equal(s.report.succeeded, 1);
    assert_string_equal(rig_state("a"), "gone");
}

static void test_while_outcomes_are_refused(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, DRAY_UNREACHABLE, 3, 0);
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 1});
    WAIT_FOR(rig_runs() == 1);
    begin_stop(&s);
    end_stop(&s);
    assert_int_equal(s.report.succeeded, 1);
    assert_int_equal(s.report.lost, 0);
}

/* At the end of the shutdown time what could not be written is reported as lost. */
static void test_outcomes_that_cannot_be_written_are_lost(void **state)
{
    struct stopper s;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, DRAY_UNREACHABLE, -1, 0);
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 64, .shutdown_timeout_ms = 1000});
    WAIT_FOR(script_count(SCRIPT_SETTLE) >= 2);
    begin_stop(&s);
    rig_advance(1001);
    end_stop(&s);
    assert_int_equal(s.report.lost, 1);
    assert_int_equal(s.report.running, 0); /* slow to wake is not stuck */
    assert_int_equal(rig_saw(SAW_TROUBLE), 1);
}

/* ---- who may stop ---- */

static int stop_from_handler(struct dray_attempt *attempt, void *user)
{
    int *codes = user;
    struct dray *dray = dray_attempt_dray(attempt);
    codes[0] = dray_worker_stop(dray, NULL, NULL);
    codes[1] = dray_worker_wait(dray, NULL, NULL);
    codes[2] = dray_close(dray);
    codes[3] = dray_work(dray, NULL, NULL, NULL);
    dray_worker_request_stop(dray);
    return DRAY_OK;
}

static void test_a_handler_can_only_ask_for_the_end(void **state)
{
    int codes[4] = {0};
    (void)state;
    assert_ok(dray_on(rig, "t", stop_from_handler, codes, NULL, &rig_error));
    rig_push("t", "a");
    assert_ok(dray_work(rig, NULL, NULL, &rig_error));
    assert_int_equal(codes[0], DRAY_INVALID);
    assert_int_equal(codes[1], DRAY_INVALID);
    assert_int_equal(codes[2], DRAY_INVALID);
    assert_int_equal(codes[3], DRAY_CONFLICT);
    assert_string_equal(rig_state("a"), "gone");
}

static void stop_from_callback(const struct dray_event *event, void *user)
{
    int *codes = user;
    codes[0] = dray_worker_stop(event->dray, NULL, NULL);
    codes[1] = dray_close(event->dray);
    dray_worker_request_stop(event->dray);
}

static void test_a_callback_can_only_ask_for_the_end(void **state)
{
    int codes[2] = {0};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    struct dray_worker_options options = {
        .callbacks = {.on_job_complete = stop_from_callback, .user = codes}};
    assert_ok(dray_work(rig, &options, NULL, &rig_error));
    assert_int_equal(codes[0], DRAY_INVALID);
    assert_int_equal(codes[1], DRAY_INVALID);
}

static void *work_main(void *arg)
{
    *(int *)arg = dray_work(rig, NULL, NULL, NULL);
    return NULL;
}

/* A worker in the foreground is stopped by another thread. */
static void test_another_thread_stops_the_foreground(void **state)
{
    pthread_t thread;
    int code = -1;
    struct dray_worker_state glance;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, work_main, &code), 0);
    WAIT_FOR((dray_worker_get_state(rig, &glance), glance.executors > 0));
    struct stopper s;
    atomic_store(&s.done, 0);
    assert_int_equal(pthread_create(&s.thread, NULL, stop_main, &s), 0);
    end_stop(&s);
    pthread_join(thread, NULL);
    assert_int_equal(code, DRAY_OK);
}

static void test_a_second_stop_finds_nothing(void **state)
{
    struct dray_work_report report;
    (void)state;
    start(&(struct dray_worker_options){.concurrency = 1});
    assert_int_equal(dray_worker_start(rig, NULL, &rig_error), DRAY_CONFLICT);
    assert_ok(dray_worker_stop(rig, &report, &rig_error));
    assert_ok(dray_worker_stop(rig, &report, &rig_error));
    assert_ok(dray_worker_wait(rig, &report, &rig_error));
    assert_int_equal(report.running + report.processed, 0);
}

static void test_start_and_stop_over_and_over(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    for (int i = 0; i < 200; i++) {
        start(&(struct dray_worker_options){.concurrency = (uint32_t)(1 + i % 4)});
        rig_push_as("t", NULL, NULL);
        assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    }
    assert_ok(dray_work(
        rig, &(struct dray_worker_options){.flags = DRAY_WORK_UNTIL_EMPTY}, NULL, &rig_error));
    assert_int_equal(rig_runs(), 200);
}

static void test_close_stops_the_worker(void **state)
{
    pthread_t thread;
    int code = -1;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 2});
    WAIT_FOR(rig_runs() == 1);
    assert_int_equal(pthread_create(&thread, NULL, close_main, &code), 0);
    pthread_join(thread, NULL);
    assert_int_equal(code, DRAY_OK);
    rig = NULL;
    assert_int_equal(rig_saw(SAW_COMPLETE), 1);
    assert_int_equal(rig_saw(SAW_STOP), 1);
    dray_clock_free(rig_clock);
    rig_clock = NULL;
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_memory, test_a_running_handler_is_waited_for),
        WITH(open_slow, test_a_running_handler_is_waited_for),
        WITH(open_memory, test_what_was_not_started_is_handed_back),
        WITH(open_slow, test_what_was_not_started_is_handed_back),
        WITH(open_memory, test_handlers_are_told_before_the_end),
        WITH(open_memory, test_what_still_runs_is_reported),
        WITH(open_slow, test_a_stuck_handler_keeps_the_memory),
        WITH(open_slow, test_a_stuck_handler_hears_of_the_end),
        WITH(open_slow, test_while_a_dispatcher_leads),
        WITH(open_slow, test_while_a_look_is_under_way),
        WITH(open_slow, test_while_a_renewal_is_under_way),
        WITH(open_slow, test_while_outcomes_are_refused),
        WITH(open_slow, test_outcomes_that_cannot_be_written_are_lost),
        WITH(open_memory, test_a_handler_can_only_ask_for_the_end),
        WITH(open_memory, test_a_callback_can_only_ask_for_the_end),
        WITH(open_memory, test_another_thread_stops_the_foreground),
        WITH(open_slow, test_another_thread_stops_the_foreground),
        WITH(open_memory, test_a_second_stop_finds_nothing),
        WITH(open_memory, test_start_and_stop_over_and_over),
        WITH(open_slow, test_start_and_stop_over_and_over),
        WITH(open_memory, test_close_stops_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
