/* SPDX-License-Identifier: Apache-2.0 */
/* Which thread runs what: callbacks one at a time (W5), one job on the caller's, inline calls. */
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* Ten looks of the keeper: time enough for any number of wake-ups. */
#define STOLEN_MS 200

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

static void start(const struct dray_worker_options *options)
{
    struct dray_worker_options all = *options;
    if (!all.callbacks.on_start)
        all.callbacks = rig_callbacks();
    assert_ok(dray_worker_start(rig, &all, &rig_error));
}

/* ---- chunks ---- */

/* One hand takes several quick jobs at once. A slow one among them does not hold up the word of
   those that are done. */
static void test_what_is_done_is_told_beside_a_slow_job(void **state)
{
    char id[16];
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "slow", rig_wait, NULL, NULL, &rig_error));
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "%d", i);
        rig_push(i == 50 ? "slow" : "t", id);
    }
    start(&(struct dray_worker_options){.concurrency = 1});
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 50);
    assert_string_equal(rig_state("50"), "active");
    assert_string_equal(rig_state("49"), "gone");
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 100);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

enum { HANDS = 32 };

static _Atomic int nmet;

static int meet_all(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    atomic_fetch_add(&nmet, 1);
    int64_t end = rig_real_ms() + RIG_PATIENCE_MS;
    while (atomic_load(&nmet) < HANDS && rig_real_ms() < end)
        rig_nap();
    return DRAY_OK;
}

static void push_many(const char *type, int n)
{
    struct dray_new_job jobs[HANDS];
    for (int i = 0; i < HANDS; i++)
        jobs[i] = (struct dray_new_job){.type = type};
    for (; n > 0; n -= HANDS)
        assert_ok(dray_dispatch_batch(rig, jobs, HANDS, NULL, &rig_error));
}

/* After quick jobs one hand takes slow ones for quick, all at once. Once that is seen, all who idle
   have one, and not one more at each look of the keeper. */
static void test_many_steal_what_waits_behind_a_slow_job(void **state)
{
    int64_t best = INT64_MAX;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "meet", meet_all, NULL, NULL, &rig_error));
    start(&(struct dray_worker_options){.concurrency = HANDS});
    for (int round = 1; round <= 5 && best >= STOLEN_MS; round++) {
        push_many("t", HANDS * 10);
        WAIT_FOR(rig_saw(SAW_COMPLETE) == (unsigned)(HANDS * (11 * round - 1)));
        atomic_store(&nmet, 0);
        struct watch watch = watch_start();
        push_many("meet", HANDS);
        WAIT_FOR(rig_saw(SAW_COMPLETE) == (unsigned)(HANDS * 11 * round));
        int64_t took = watch_ms(&watch);
        best = took < best ? took : best;
    }
    assert_in_range(best, 0, STOLEN_MS - 1);
}

/* ---- callbacks ---- */

/* W5: start first, stop last, each job's start before its end; all but the starts on one thread. */
static void test_callbacks_come_in_order(void **state)
{
    static struct rig_event events[RIG_EVENTS];
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(
        rig, "f", rig_fail, NULL, &(struct dray_handler_options){.max_attempts = 1}, &rig_error));
    for (int i = 0; i < 100; i++)
        rig_push_as(i % 4 ? "t" : "f", NULL, NULL);
    struct dray_worker_options options = {
        .callbacks = rig_callbacks(), .concurrency = 4, .flags = DRAY_WORK_UNTIL_EMPTY};
    assert_ok(dray_work(rig, &options, NULL, &rig_error));
    unsigned n = rig_events(events, RIG_EVENTS);
    assert_int_equal(n, 202);
    assert_int_equal(events[0].kind == SAW_START || events[0].kind == SAW_JOB_START, 1);
    assert_int_equal(rig_saw(SAW_START), 1);
    assert_int_equal(events[n - 1].kind, SAW_STOP);
    uint64_t thread = events[n - 1].thread;
    for (unsigned i = 0; i < n; i++) {
        if (events[i].kind == SAW_JOB_START) {
            assert_true(events[i].thread != thread);
            continue;
        }
        assert_true(events[i].thread == thread);
        if (events[i].kind != SAW_COMPLETE && events[i].kind != SAW_DEAD)
            continue;
        unsigned at = 0;
        while (at < i &&
               (events[at].kind != SAW_JOB_START || strcmp(events[at].id, events[i].id) != 0))
            at++;
        assert_true(at < i);
    }
}

static _Atomic int busy, overlapped, called;
static _Atomic int let_go;

static void slow_callback(const struct dray_event *event, void *user)
{
    (void)event;
    (void)user;
    if (atomic_fetch_add(&busy, 1))
        atomic_store(&overlapped, 1);
    while (!atomic_load(&let_go))
        rig_nap();
    atomic_fetch_add(&called, 1);
    atomic_fetch_sub(&busy, 1);
}

static void nothing(const struct dray_event *event, void *user)
{
    (void)event;
    (void)user;
}

/* A worker does not run ahead of its callbacks for ever, and goes on when they have caught up. */
static void test_a_crowd_of_events_is_waited_for(void **state)
{
    enum { N = 9000, LIMIT = 4096 };
    (void)state;
    atomic_store(&let_go, 0);
    atomic_store(&called, 0);
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    for (int i = 0; i < N; i++)
        rig_push_as("t", NULL, NULL);
    struct dray_worker_options options = {
        .concurrency = 2, .callbacks = {.on_start = nothing, .on_job_complete = slow_callback}};
    start(&options);
    WAIT_FOR(rig_runs() > LIMIT);
    for (int i = 0; i < 300; i++) /* time in which a worker that ignores the crowd runs ahead */
        rig_nap();
    unsigned runs = rig_runs();
    atomic_store(&let_go, 1); /* before a failure, whose end waits for the callbacks */
    assert_in_range(runs, LIMIT + 1, LIMIT + 1500);
    WAIT_FOR(atomic_load(&called) == N);
    assert_int_equal(atomic_load(&overlapped), 0);
}

static void dispatch_from_callback(const struct dray_event *event, void *user)
{
    _Atomic int *left = user;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(event->dray, NULL, &stats, NULL) == DRAY_OK)
        dray_stats_free(stats);
    if (atomic_fetch_sub(left, 1) > 0)
        dray_dispatch(event->dray, "t", NULL, NULL, NULL, NULL);
}

static void test_a_callback_may_dispatch(void **state)
{
    _Atomic int left = 50;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    struct dray_worker_options options = {.concurrency = 2,
        .callbacks = {
            .on_start = nothing, .on_job_complete = dispatch_from_callback, .user = &left}};
    start(&options);
    rig_push_as("t", NULL, NULL);
    WAIT_FOR(atomic_load(&left) == -1);
    assert_int_equal(rig_runs(), 51);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

/* ---- one at a time ---- */

static void test_one_job_at_a_time(void **state)
{
    struct dray_work_report report;
    struct dray_worker_options options = {.callbacks = rig_callbacks(), .concurrency = 4};
    (void)state;
    assert_int_equal(dray_work_one(rig, &options, &report, &rig_error), DRAY_EMPTY);
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "f", rig_fail, NULL,
        &(struct dray_handler_options){.max_attempts = 2,
            .backoff = {.strategy = DRAY_BACKOFF_FIXED, .base_ms = 1000, .jitter = -1}},
        &rig_error));
    rig_push("f", "a");
    rig_push("t", "b");
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.processed, 1);
    assert_int_equal(report.failed, 1);
    assert_int_equal(rig_event(SAW_ERROR, 0).retry_in_ms, 1000);
    assert_true(rig_event(SAW_ERROR, 0).thread == (uint64_t)pthread_self());
    assert_string_equal(rig_state("b"), "ready");
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.succeeded, 1);
    assert_int_equal(dray_work_one(rig, &options, &report, &rig_error), DRAY_EMPTY);
    rig_advance(1000);
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.dead, 1);
    assert_int_equal(dray_work_one(rig, &options, NULL, &rig_error), DRAY_EMPTY);
    start(&(struct dray_worker_options){.concurrency = 1});
    assert_int_equal(dray_work_one(rig, &options, NULL, &rig_error), DRAY_CONFLICT);
}

/* The order in which one thread tells of all: the start of the worker first. */
static void test_one_job_is_told_in_order(void **state)
{
    static const enum rig_kind order[] = {SAW_START, SAW_JOB_START, SAW_COMPLETE, SAW_STOP};
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    struct rig_event events[5];
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    assert_ok(dray_work_one(rig, &options, NULL, &rig_error));
    assert_int_equal(rig_events(events, 5), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(events[i].kind, order[i]);
}

static void test_one_job_of_a_store_that_is_away(void **state)
{
    (void)state;
    script_say(SCRIPT_RESERVE, DRAY_UNREACHABLE, 1, 0);
    assert_int_equal(dray_work_one(rig, NULL, NULL, &rig_error), DRAY_UNREACHABLE);
    assert_non_null(strstr(rig_error.text, "the script says"));
}

/* T11: a job that is out of attempts is buried, and that is the one job. */
static void test_a_burial_is_the_one_job(void **state)
{
    (void)state;
    struct dray_work_report report;
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    struct dray_job_info spent = {.id = "spent",
        .queue = "default",
        .type = "t",
        .state = "ready",
        .payload = "1",
        .attempts = 3,
        .max_attempts = 3};
    assert_ok(dray_restore(rig, &spent, 1, 0, NULL, &rig_error));
    rig_push("t", "fresh");
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.processed, 0);
    assert_int_equal(report.dead, 1);
    assert_int_equal(rig_saw_job(SAW_DEAD, "spent"), 1);
    assert_int_equal(rig_runs(), 0);
    assert_string_equal(rig_state("fresh"), "ready");
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.processed, 1);
    assert_int_equal(report.dead, 0);
    assert_string_equal(rig_state("fresh"), "gone");
    assert_int_equal(dray_work_one(rig, &options, NULL, &rig_error), DRAY_EMPTY);
}

static unsigned count_state(const char *state)
{
    struct dray_stats *stats = NULL;
    unsigned n = 0;
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    for (size_t i = 0; i < stats->nqueues; i++)
        n += (unsigned)(strcmp(state, "ready") == 0 ? stats->queues[i].ready
                                                    : stats->queues[i].parked);
    dray_stats_free(stats);
    return n;
}

/* W6: thousands of jobs that nobody here can do are parked in few looks, and of those behind them
   one alone is done; what came along with it is given back while it runs. */
static void test_one_job_behind_unknown_types(void **state)
{
    enum { UNKNOWN = 2000, KNOWN = 300 };
    (void)state;
    struct dray_work_report report;
    for (int i = 0; i < UNKNOWN; i++)
        rig_push_as("unheard-of", NULL, NULL);
    for (int i = 0; i < KNOWN; i++)
        rig_push_as("t", NULL, NULL);
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_work_one(rig, NULL, &report, &rig_error));
    assert_int_equal(report.processed, 1);
    assert_int_equal(report.succeeded, 1);
    assert_int_equal(rig_runs(), 1);
    assert_true(script_count(SCRIPT_RESERVE) < 40);
    assert_int_equal(count_state("parked"), UNKNOWN);
    assert_int_equal(count_state("ready"), KNOWN - 1);
}

static void *work_one_main(void *arg)
{
    *(int *)arg = dray_work_one(rig, NULL, NULL, NULL);
    return NULL;
}

static void test_nothing_is_held_behind_the_one_job(void **state)
{
    pthread_t thread;
    int code = -1;
    (void)state;
    for (int i = 0; i < 10; i++)
        rig_push_as("unheard-of", NULL, NULL);
    for (int i = 0; i < 20; i++)
        rig_push_as("t", NULL, NULL);
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    assert_int_equal(pthread_create(&thread, NULL, work_one_main, &code), 0);
    WAIT_FOR(rig_inside() == 1);
    WAIT_FOR(count_state("ready") == 19);
    rig_release();
    pthread_join(thread, NULL);
    assert_int_equal(code, DRAY_OK);
    assert_int_equal(rig_runs(), 1);
}

/* ---- inline calls ---- */

static int add_one(void *arg)
{
    return ++*(int *)arg;
}

static int call_inside(struct dray_attempt *attempt, void *user)
{
    int result = 0;
    int code = dray_run_inline(dray_attempt_dray(attempt), add_one, user, &result, NULL);
    return code == DRAY_OK && result == *(int *)user ? DRAY_OK : DRAY_FAILED;
}

static void test_a_function_runs_on_an_executor(void **state)
{
    int n = 0, result = 0;
    (void)state;
    assert_int_equal(dray_run_inline(rig, add_one, &n, &result, &rig_error), DRAY_INVALID);
    assert_ok(dray_on(rig, "t", call_inside, &n, NULL, &rig_error));
    start(&(struct dray_worker_options){.concurrency = 2});
    for (int i = 1; i <= 200; i++) {
        assert_ok(dray_run_inline(rig, add_one, &n, &result, &rig_error));
        assert_int_equal(result, i);
    }
    rig_push("t", "a");
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(n, 201);
    assert_int_equal(dray_run_inline(rig, NULL, NULL, NULL, &rig_error), DRAY_INVALID);
}

/* What would wait for its own thread: counts the calls that were answered as they should be. */
static _Atomic int answered;

static void wait_for_oneself(struct dray *dray)
{
    int n = 0;
    int ok = dray_run_inline(dray, add_one, &n, NULL, NULL) == DRAY_OK && n == 1 &&
             dray_worker_stop(dray, NULL, NULL) == DRAY_INVALID &&
             dray_worker_wait(dray, NULL, NULL) == DRAY_INVALID && dray_close(dray) == DRAY_INVALID;
    atomic_fetch_add(&answered, ok);
}

static void wait_in_callback(const struct dray_event *event, void *user)
{
    (void)user;
    wait_for_oneself(event->dray);
}

static int wait_in_function(void *arg)
{
    wait_for_oneself(arg);
    return 0;
}

static int wait_in_handler(struct dray_attempt *attempt, void *user)
{
    (void)user;
    wait_for_oneself(dray_attempt_dray(attempt));
    return DRAY_OK;
}

/* The only executor, and the thread of the callbacks, cannot be waited for by themselves. */
static void test_nothing_waits_for_itself(void **state)
{
    const struct dray_callbacks callbacks = {.on_start = wait_in_callback,
        .on_stop = wait_in_callback,
        .on_job_start = wait_in_callback,
        .on_job_complete = wait_in_callback};
    struct dray_worker_options options = {.concurrency = 1, .callbacks = callbacks};
    (void)state;
    atomic_store(&answered, 0);
    assert_ok(dray_on(rig, "t", wait_in_handler, NULL, NULL, &rig_error));
    rig_push("t", "a");
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    assert_ok(dray_run_inline(rig, wait_in_function, rig, NULL, &rig_error));
    WAIT_FOR(atomic_load(&answered) == 5);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_int_equal(atomic_load(&answered), 6); /* on_stop too */
    rig_push("t", "b");
    assert_ok(dray_work_one(rig, &options, NULL, &rig_error));
    assert_int_equal(atomic_load(&answered), 11);       /* on this thread, all five */
    assert_ok(dray_worker_stop(rig, NULL, &rig_error)); /* this thread works for itself again */
}

static int meet(void *arg)
{
    _Atomic int *here = arg;
    atomic_fetch_add(here, 1);
    int64_t end = rig_real_ms() + RIG_PATIENCE_MS;
    while (atomic_load(here) < 3 && rig_real_ms() < end)
        rig_nap();
    return atomic_load(here) >= 3;
}

static void *meet_main(void *arg)
{
    int met = 0;
    dray_run_inline(rig, meet, arg, &met, NULL);
    return (void *)(uintptr_t)met;
}

/* Calls that come together wake an executor each. */
static void test_functions_run_side_by_side(void **state)
{
    (void)state;
    start(&(struct dray_worker_options){.concurrency = 3});
    for (int round = 0; round < 50; round++) {
        _Atomic int here = 0;
        pthread_t thread[3];
        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, meet_main, &here), 0);
        for (int i = 0; i < 3; i++) {
            void *met = NULL;
            pthread_join(thread[i], &met);
            assert_non_null(met);
        }
    }
}

static void *call_main(void *arg)
{
    int n = 0;
    *(int *)arg = dray_run_inline(rig, add_one, &n, NULL, NULL);
    return NULL;
}

/* A call that no executor can take before the end is refused. */
static void test_a_function_is_refused_at_the_end(void **state)
{
    pthread_t thread;
    int code = -1;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(&(struct dray_worker_options){.concurrency = 1, .shutdown_timeout_ms = 20});
    WAIT_FOR(rig_inside() == 1);
    assert_int_equal(pthread_create(&thread, NULL, call_main, &code), 0);
    rig_wait_for_calls();
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    pthread_join(thread, NULL);
    assert_int_equal(code, DRAY_CLOSED);
    rig_release();
    WAIT_FOR(rig_abandoned() == 0);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_real, test_what_is_done_is_told_beside_a_slow_job),
        WITH(open_slow, test_what_is_done_is_told_beside_a_slow_job),
        WITH(open_real, test_many_steal_what_waits_behind_a_slow_job),
        WITH(open_real, test_callbacks_come_in_order),
        WITH(open_real, test_a_crowd_of_events_is_waited_for),
        WITH(open_slow, test_a_crowd_of_events_is_waited_for),
        WITH(open_real, test_a_callback_may_dispatch),
        WITH(open_memory, test_one_job_at_a_time),
        WITH(open_memory, test_one_job_is_told_in_order),
        WITH(open_memory, test_a_burial_is_the_one_job),
        WITH(open_slow, test_a_burial_is_the_one_job),
        WITH(open_slow, test_one_job_behind_unknown_types),
        WITH(open_memory, test_nothing_is_held_behind_the_one_job),
        WITH(open_slow, test_nothing_is_held_behind_the_one_job),
        WITH(open_slow, test_one_job_of_a_store_that_is_away),
        WITH(open_real, test_a_function_runs_on_an_executor),
        WITH(open_slow, test_a_function_runs_on_an_executor),
        WITH(open_real, test_nothing_waits_for_itself),
        WITH(open_slow, test_nothing_waits_for_itself),
        WITH(open_real, test_functions_run_side_by_side),
        WITH(open_slow, test_functions_run_side_by_side),
        WITH(open_real, test_a_function_is_refused_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
