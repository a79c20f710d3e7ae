/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, time-outs and the store's answers to outcomes (W1, W2, U2, F2, R4, T11, T15). */
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static int open_by_hand(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.memory.retry_after", "30s", NULL);
    return 0;
}

static int open_scripted(void **state)
{
    (void)state;
    rig_open("slow", 1, "queue.slow.retry_after", "30s", NULL);
    return 0;
}

static int open_bare(void **state)
{
    (void)state;
    rig_open("bare", 1, "queue.bare.retry_after", "30s", NULL);
    return 0;
}

static void start(uint32_t concurrency)
{
    struct dray_worker_options options = {.concurrency = concurrency, .callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
}

static uint64_t lease_left(const char *id)
{
    struct dray_job_info *job = rig_get(id);
    int64_t left = job->lease_until_ms - dray_clock_wall_ms(rig_clock);
    dray_job_info_free(job);
    return left > 0 ? (uint64_t)left : 0;
}

/* W1: a handler that takes twenty leases keeps its job, and runs once. */
static void test_a_long_handler_keeps_its_job(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "long");
    start(2);
    WAIT_FOR(rig_inside() == 1);
    for (int i = 0; i < 150; i++) {
        rig_advance(4000);
        if (i % 2)
            WAIT_FOR(lease_left("long") >= 26000);
    }
    assert_int_equal(rig_inside(), 1); /* nobody has told it to stop */
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(rig_runs(), 1);
    assert_int_equal(rig_saw(SAW_TROUBLE), 0);
    assert_string_equal(rig_state("long"), "gone");
}

/* W1: jobs that are reserved and not yet started are renewed too. */
static void test_what_waits_its_turn_is_renewed(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    struct dray_worker_options options = {
        .concurrency = 1, .prefetch = 3, .callbacks = rig_callbacks()};
    rig_push("t", "a");
    rig_push("t", "b");
    rig_push("t", "c");
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    for (int i = 0; i < 20; i++) {
        rig_advance(5000);
        WAIT_FOR(lease_left("c") >= 25000);
    }
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 3);
    assert_int_equal(rig_runs(), 3);
}

static _Atomic int told;

static int wait_to_be_told(struct dray_attempt *attempt, void *user)
{
    (void)user;
    while (!dray_attempt_cancelled(attempt))
        rig_nap();
    atomic_store(&told, 1);
    return DRAY_OK;
}

/* W1: without an answer to its renewals a handler is told when its lease ends, and its outcome is
   still sent: the token alone decides (T6). */
static void test_past_its_deadline_it_is_told(void **state)
{
    (void)state;
    atomic_store(&told, 0);
    assert_ok(dray_on(rig, "t", wait_to_be_told, NULL, NULL, &rig_error));
    rig_push("t", "late");
    script_say(SCRIPT_EXTEND, DRAY_UNREACHABLE, -1, 0);
    start(1);
    WAIT_FOR(rig_saw(SAW_JOB_START) == 1);
    rig_advance(29000);
    WAIT_FOR(script_count(SCRIPT_EXTEND) >= 1);
    assert_int_equal(atomic_load(&told), 0);
    /* Nobody else may look meanwhile: the sweep would take the job away, and rightly so. */
    script_say(SCRIPT_RESERVE, DRAY_UNREACHABLE, -1, 0);
    rig_advance(1000);
    WAIT_FOR(atomic_load(&told));
    WAIT_FOR(rig_saw(SAW_COMPLETE) + rig_saw(SAW_TROUBLE) >= 1);
    assert_int_equal(rig_saw(SAW_COMPLETE), 1);
    assert_string_equal(rig_state("late"), "gone");
}

/* W1, W5: STALE tells the handler, drops the outcome, and is reported by on_error alone. */
static void test_a_stale_outcome_is_reported_and_nothing_else(void **state)
{
    (void)state;
    atomic_store(&told, 0);
    assert_ok(dray_on(rig, "t", wait_to_be_told, NULL, NULL, &rig_error));
    rig_push("t", "lost");
    start(1);
    WAIT_FOR(rig_saw(SAW_JOB_START) == 1);
    assert_ok(dray_remove(rig, NULL, "lost", 1, &rig_error)); /* T13: the token is void */
    rig_advance(5001);
    WAIT_FOR(atomic_load(&told));
    WAIT_FOR(rig_saw(SAW_TROUBLE) == 1);
    assert_string_equal(rig_event(SAW_TROUBLE, 0).id, "lost");
    assert_int_equal(rig_event(SAW_TROUBLE, 0).code, DRAY_STALE);
    struct dray_work_report report;
    assert_ok(dray_worker_stop(rig, &report, &rig_error));
    assert_int_equal(report.lost, 1);
    assert_int_equal(report.processed, 1);
    assert_int_equal(report.succeeded + report.failed, 0);
    assert_int_equal(rig_saw(SAW_COMPLETE) + rig_saw(SAW_ERROR) + rig_saw(SAW_DEAD), 0);
}

/* Without `extend` every handler is told before its lease ends. */
static void test_without_extend_a_handler_is_told_in_time(void **state)
{
    (void)state;
    atomic_store(&told, 0);
    assert_ok(dray_on(rig, "t", wait_to_be_told, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_saw(SAW_JOB_START) == 1);
    rig_advance(26900);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(atomic_load(&told), 0);
    rig_advance(200);
    WAIT_FOR(atomic_load(&told));
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(script_count(SCRIPT_EXTEND), 0);
}

/* W2: told at its time; an attempt that then fails has timed out. */
static void test_a_timeout_tells_the_handler(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL,
        &(struct dray_handler_options){.timeout_ms = 2000, .max_attempts = 1}, &rig_error));
    rig_push("t", "slow");
    start(1);
    WAIT_FOR(rig_inside() == 1);
    rig_advance(1999);
    for (int i = 0; i < 20; i++)
        rig_nap();
    assert_int_equal(rig_inside(), 1);
    rig_advance(1);
    WAIT_FOR(rig_saw(SAW_DEAD) == 1);
    assert_string_equal(rig_event(SAW_DEAD, 0).text, "timed out after 2000 ms");
}

static void test_the_longest_timeout_is_no_timeout(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL,
        &(struct dray_handler_options){.timeout_ms = UINT64_MAX}, &rig_error));
    rig_push("t", "patient");
    start(1);
    WAIT_FOR(rig_inside() == 1);
    for (int i = 0; i < 5; i++) {
        rig_advance(5000);
        WAIT_FOR(lease_left("patient") >= 25000);
    }
    assert_int_equal(rig_inside(), 1);
    rig_release();
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
}

/* W2: a deaf handler loses its slot after the grace time; a new thread takes its place, as often as
   the one before comes back. */
static void test_a_stuck_slot_gets_a_stand_in(void **state)
{
    struct dray_worker_state glance;
    (void)state;
    assert_ok(dray_on(rig, "deaf", rig_deaf, NULL,
        &(struct dray_handler_options){.timeout_ms = 1000, .max_attempts = 1}, &rig_error));
    assert_ok(dray_on(rig, "quick", rig_succeed, NULL, NULL, &rig_error));
    start(1);
    for (unsigned round = 0; round < 3; round++) {
        char deaf[16], quick[16];
        snprintf(deaf, sizeof(deaf), "deaf-%u", round);
        snprintf(quick, sizeof(quick), "quick-%u", round);
        rig_push("deaf", deaf);
        WAIT_FOR(rig_inside() == 1);
        rig_push("quick", quick);
        rig_advance(1000);
        rig_advance(5000); /* the grace time */
        WAIT_FOR(rig_saw_job(SAW_COMPLETE, quick) == 1);
        dray_worker_get_state(rig, &glance);
        assert_int_equal(glance.stuck, 1);
        assert_int_equal(glance.executors, 2);
        assert_int_equal(rig_saw_job(SAW_TROUBLE, deaf), 1);
        rig_release();
        WAIT_FOR(rig_saw_job(SAW_COMPLETE, deaf) + rig_saw_job(SAW_TROUBLE, deaf) == 2);
        WAIT_FOR((dray_worker_get_state(rig, &glance), glance.executors == 1 && !glance.stuck));
        rig_hold_back(); /* the next one is deaf again */
    }
}

/* W2: as many stand-ins as executors; then there are fewer hands. */
static void test_stand_ins_are_limited(void **state)
{
    struct dray_worker_state glance;
    (void)state;
    assert_ok(dray_on(rig, "deaf", rig_deaf, NULL,
        &(struct dray_handler_options){.timeout_ms = 1000, .max_attempts = 1}, &rig_error));
    rig_push("deaf", "a");
    rig_push("deaf", "b");
    rig_push("deaf", "c");
    start(1);
    WAIT_FOR(rig_inside() == 1);
    rig_advance(6000);
    WAIT_FOR(rig_inside() == 2);
    rig_advance(6000);
    WAIT_FOR((dray_worker_get_state(rig, &glance), glance.stuck == 2));
    assert_int_equal(glance.executors, 2);
    assert_string_equal(rig_state("c"), "ready");
    rig_release();
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "c") == 1);
}

/* T15: told at the next renewal; what is then returned is buried. */
static void test_a_cancel_reaches_the_handler(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_inside() == 1);
    assert_ok(dray_cancel(rig, NULL, "a", &rig_error));
    assert_string_equal(rig_state("a"), "active");
    rig_advance(5001);
    WAIT_FOR(rig_saw(SAW_DEAD) == 1);
    assert_string_equal(rig_event(SAW_DEAD, 0).text, "cancelled");
    assert_string_equal(rig_state("a"), "dead");
    assert_int_equal(rig_saw(SAW_ERROR), 0);
}

/* T15: a handler that fails before it is told: "again" is answered CANCELLED, and it is buried. */
static void test_a_cancelled_job_is_not_tried_again(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_fail_when_released, NULL, NULL, &rig_error));
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_inside() == 1);
    assert_ok(dray_cancel(rig, NULL, "a", &rig_error));
    rig_release();
    WAIT_FOR(rig_saw(SAW_DEAD) == 1);
    assert_string_equal(rig_event(SAW_DEAD, 0).text, "cancelled");
    assert_string_equal(rig_state("a"), "dead");
    assert_int_equal(rig_saw(SAW_ERROR), 0);
}

/* T11, W5: handed out beyond its attempts, it is buried unstarted, and on_job_dead fires. */
static void test_a_job_that_kills_its_workers_dies(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL,
        &(struct dray_handler_options){.timeout_ms = 1000, .max_attempts = 2}, &rig_error));
    rig_push("t", "killer");
    start(3);
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        WAIT_FOR(rig_inside() == attempt);
        rig_advance(6000); /* stuck: no longer renewed */
        WAIT_FOR(rig_saw(SAW_TROUBLE) == attempt);
        rig_advance(30001);
    }
    WAIT_FOR(rig_saw(SAW_DEAD) == 1);
    assert_string_equal(rig_event(SAW_DEAD, 0).text, "lease expired");
    assert_int_equal(rig_runs(), 2);
    struct dray_job_info *job = rig_get("killer");
    assert_string_equal(job->state, "dead");
    assert_int_equal(job->attempts, 2); /* uncharged */
    dray_job_info_free(job);
    rig_release();
}

/* ---- outcomes ---- */

/* U2: kept with its token until the answer is definite. */
static void test_an_outcome_is_kept_until_it_is_written(void **state)
{
    static const int codes[] = {DRAY_BUSY, DRAY_UNREACHABLE, DRAY_FULL, DRAY_NOMEM, DRAY_IO};
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        script_say(SCRIPT_SETTLE, codes[i], 1, 0);
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(script_count(SCRIPT_SETTLE), 6);
    assert_int_equal(rig_runs(), 1);
    assert_string_equal(rig_state("a"), "gone");
    assert_int_equal(rig_saw(SAW_TROUBLE), 0);
}

/* U2: STALE after UNKNOWN means probably written. */
static void test_stale_after_unknown_is_written(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, DRAY_UNKNOWN, 1, 1);
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(script_count(SCRIPT_SETTLE), 2);
    assert_int_equal(rig_saw(SAW_TROUBLE), 0);
}

/* U2, W5: past the lease it means no such thing, for the job may have a new owner by then. */
static void test_stale_after_unknown_and_the_lease_is_lost(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_hold(SCRIPT_SETTLE);
    script_say(SCRIPT_SETTLE, DRAY_UNKNOWN, 1, 0);
    script_say(SCRIPT_SETTLE, DRAY_STALE, -1, 0);
    rig_push("t", "a");
    start(1);
    script_wait(SCRIPT_SETTLE);
    script_say(SCRIPT_RESERVE, DRAY_UNREACHABLE, -1, 0);
    rig_advance(30001);
    script_go(SCRIPT_SETTLE);
    WAIT_FOR(rig_saw_job(SAW_TROUBLE, "a") == 1);
    assert_int_equal(rig_saw(SAW_COMPLETE), 0);
    assert_int_equal(script_count(SCRIPT_SETTLE), 2);
}

/* U2: with a definite refusal it is lost at once. */
static void test_a_refused_outcome_is_lost(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, DRAY_INVALID, 1, 0);
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_saw(SAW_TROUBLE) == 1);
    assert_int_equal(rig_event(SAW_TROUBLE, 0).code, DRAY_INVALID);
    assert_int_equal(rig_saw(SAW_COMPLETE), 0);
}

static unsigned tries_since(unsigned before)
{
    return script_count(SCRIPT_SETTLE) - before;
}

/* U2: without a definite answer it is kept for ten seconds more than its lease of thirty, and then
   reported: once, and by on_error alone. */
static void given_up(int32_t code)
{
    struct dray_worker_state glance;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, code, -1, 0);
    rig_push("t", "a");
    start(1);
    WAIT_FOR(script_count(SCRIPT_SETTLE) >= 2);
    script_say(SCRIPT_RESERVE, DRAY_UNREACHABLE, -1, 0); /* nobody else takes the job over */
    rig_advance(39999);
    unsigned before = script_count(SCRIPT_SETTLE);
    WAIT_FOR(tries_since(before) >= 2); /* one of them has seen the new time */
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.lost, 0);
    assert_int_equal(rig_saw_job(SAW_TROUBLE, "a"), 0);
    rig_advance(1);
    WAIT_FOR(rig_saw_job(SAW_TROUBLE, "a") == 1);
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.lost, 1);
    before = script_count(SCRIPT_SETTLE);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_int_equal(tries_since(before), 0);
    assert_int_equal(rig_saw(SAW_COMPLETE), 0);
    assert_int_equal(rig_saw_job(SAW_TROUBLE, "a"), 1);
}

static void test_an_unknown_outcome_is_given_up(void **state)
{
    (void)state;
    given_up(DRAY_UNKNOWN);
}

static void test_an_outcome_without_a_store_is_given_up(void **state)
{
    (void)state;
    given_up(DRAY_UNREACHABLE);
}

/* A driver that does not bury cancelled jobs must not keep its worker busy for ever. */
static void test_cancelled_for_ever_is_lost(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_fail, NULL, NULL, &rig_error));
    script_say(SCRIPT_SETTLE, DRAY_CANCELLED, -1, 0);
    rig_push("t", "a");
    start(1);
    WAIT_FOR(rig_saw(SAW_TROUBLE) == 1);
    assert_int_equal(script_count(SCRIPT_SETTLE), 2);
}

/* R4: a worker whose store has failed lets its handlers end, reports them lost, and stops. */
static void test_a_poisoned_store_stops_the_worker(void **state)
{
    struct dray_work_report report;
    (void)state;
    assert_ok(dray_on(rig, "wait", rig_wait, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("wait", "waits");
    start(2);
    WAIT_FOR(rig_inside() == 1);
    script_say(SCRIPT_SETTLE, DRAY_POISONED, -1, 0);
    rig_push("t", "a");
    WAIT_FOR(rig_saw(SAW_TROUBLE) >= 1);
    rig_push("t", "never");
    assert_int_equal(rig_inside(), 1);
    rig_release();
    assert_int_equal(dray_worker_wait(rig, &report, &rig_error), DRAY_POISONED);
    assert_non_null(strstr(rig_error.text, "the script says"));
    assert_int_equal(report.lost, 2);
    assert_int_equal(report.succeeded, 0);
    assert_int_equal(rig_saw(SAW_COMPLETE), 0);
    assert_int_equal(rig_saw_job(SAW_TROUBLE, "waits"), 1);
    assert_int_equal(rig_runs(), 2);
}

static void test_a_poisoned_look_stops_the_worker(void **state)
{
    (void)state;
    script_say(SCRIPT_RESERVE, DRAY_POISONED, -1, 0);
    assert_int_equal(dray_work(rig, NULL, NULL, &rig_error), DRAY_POISONED);
}

/* F4: a reserve whose answer got lost is repeated with its nonce, and nothing is charged twice. */
static void test_a_lost_reserve_is_repeated(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    rig_push("t", "a");
    rig_push("t", "b");
    script_say(SCRIPT_RESERVE, DRAY_UNKNOWN, 1, 1);
    script_say(SCRIPT_RESERVE, DRAY_BUSY, 1, 0);
    start(2);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 2);
    assert_int_equal(rig_event(SAW_COMPLETE, 0).attempt, 1);
    assert_int_equal(rig_event(SAW_COMPLETE, 1).attempt, 1);
    assert_int_equal(rig_runs(), 2);
}

/* L3, W5: a store that goes away is reported once; two seconds after it is back work goes on. */
static void comes_back(void)
{
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    script_say(SCRIPT_RESERVE, DRAY_UNREACHABLE, -1, 0);
    rig_push("t", "a");
    start(2);
    WAIT_FOR(script_count(SCRIPT_RESERVE) >= 5);
    WAIT_FOR(rig_saw(SAW_TROUBLE) >= 1); /* told by a thread of its own */
    assert_int_equal(rig_saw(SAW_TROUBLE), 1);
    assert_int_equal(rig_event(SAW_TROUBLE, 0).code, DRAY_UNREACHABLE);
    assert_int_equal(rig_runs(), 0);
    struct dray_worker_state glance;
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.consuming, 0);
    assert_non_null(strstr(glance.last_error, "the script says"));
    struct watch back = watch_start();
    script_say(SCRIPT_RESERVE, DRAY_OK, 0, 0);
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_true(watch_ms(&back) < 2000);
}

static void test_a_store_comes_back(void **state)
{
    (void)state;
    comes_back();
}

static _Atomic int let_go;

static int stay_until_let_go(void *arg)
{
    (void)arg;
    while (!atomic_load(&let_go))
        rig_nap();
    return 0;
}

static void *occupy(void *arg)
{
    (void)arg;
    assert_ok(dray_run_inline(rig, stay_until_let_go, NULL, NULL, &rig_error));
    return NULL;
}

/* A store that still sweeps but hands out nothing, as on a full disk, is away all the same. */
static void test_a_sweep_alone_does_not_bring_it_back(void **state)
{
    struct dray_worker_state glance;
    pthread_t thread;
    (void)state;
    atomic_store(&let_go, 0);
    script_say(SCRIPT_RESERVE, DRAY_FULL, -1, 0);
    start(1);
    WAIT_FOR(rig_saw(SAW_TROUBLE) == 1);
    assert_int_equal(pthread_create(&thread, NULL, occupy, NULL), 0);
    WAIT_FOR(script_turns() >= script_count(SCRIPT_RESERVE) + 2); /* nobody has room: sweeps */
    unsigned before = script_count(SCRIPT_RESERVE);
    atomic_store(&let_go, 1);
    pthread_join(thread, NULL);
    WAIT_FOR(script_count(SCRIPT_RESERVE) >= before + 3);
    assert_int_equal(rig_saw(SAW_TROUBLE), 1);
    dray_worker_get_state(rig, &glance);
    assert_non_null(strstr(glance.last_error, "the script says"));
}

static int open_shared(void **state)
{
    (void)state;
    rig_open("shared", 0, NULL);
    return 0;
}

static int open_quick(void **state)
{
    (void)state;
    rig_open("quick", 0, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_handler_keeps_its_job, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_what_waits_its_turn_is_renewed, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_past_its_deadline_it_is_told, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_stale_outcome_is_reported_and_nothing_else, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_without_extend_a_handler_is_told_in_time, open_bare, rig_close),
        cmocka_unit_test_setup_teardown(test_a_timeout_tells_the_handler, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_the_longest_timeout_is_no_timeout, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(test_a_stuck_slot_gets_a_stand_in, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(test_stand_ins_are_limited, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(test_a_cancel_reaches_the_handler, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_cancelled_job_is_not_tried_again, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_job_that_kills_its_workers_dies, open_by_hand, rig_close),
        cmocka_unit_test_setup_teardown(
            test_an_outcome_is_kept_until_it_is_written, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_stale_after_unknown_is_written, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_stale_after_unknown_and_the_lease_is_lost, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_a_refused_outcome_is_lost, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_an_unknown_outcome_is_given_up, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_an_outcome_without_a_store_is_given_up, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_cancelled_for_ever_is_lost, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_poisoned_store_stops_the_worker, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_poisoned_look_stops_the_worker, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_a_lost_reserve_is_repeated, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_a_store_comes_back, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_a_store_comes_back, open_shared, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_sweep_alone_does_not_bring_it_back, open_scripted, rig_close),
        cmocka_unit_test_setup_teardown(test_a_store_comes_back, open_quick, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
