/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is next at the lock that the processes on a store share. The waiters are processes and the
 * locks the kernel's, but the clock and the naps between two tries are the test's (steps.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/gate.h"
#include "common/lock.h"
#include "unit/steps.h"

#include <stdlib.h>
#include <unistd.h>

#define LONG_MS 20   /* who has waited for so long takes a place in the queue, */
#define PLACE_MS 250 /* which counts for so long */
#define PATIENCE_MS 1000

static char path[] = "/tmp/dray-queue-XXXXXX";
static struct waiter_run holder, first, second, newcomer;

static void wait_once(void)
{
    struct lock lock = {.fd = -1};
    int sys = 0;
    if (lock_open(&lock, path, &sys) != DRAY_OK)
        abort();
    int32_t code = lock_take(&lock, gate_clock_ms() + PATIENCE_MS, &sys);
    step_say(code == DRAY_OK ? STEP_HAS_IT : code == DRAY_BUSY ? STEP_BUSY : '?');
    step_be_told();
    lock_close(&lock);
}

/* A place of this very moment counts from the next one on. */
static void give(struct waiter_run *waiter)
{
    assert_int_equal(step(waiter), STEP_GONE);
    steps_advance(1);
}

/* Begins to wait behind the holder, and has a place when it has waited for long. */
static void wait_for_long(struct waiter_run *waiter)
{
    assert_int_equal(step(waiter), STEP_NAPS);
    steps_advance(LONG_MS);
    assert_int_equal(step(waiter), STEP_NAPS);
}

static int begin(void **state)
{
    (void)state;
    steps_begin();
    steps_start_process(&holder, wait_once);
    steps_start_process(&first, wait_once);
    steps_start_process(&second, wait_once);
    steps_start_process(&newcomer, wait_once);
    assert_int_equal(step(&holder), STEP_HAS_IT);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    steps_stop(&newcomer);
    steps_stop(&second);
    steps_stop(&first);
    steps_stop(&holder);
    steps_end();
    return 0;
}

/* ---- the queue ---- */

static void test_in_the_order_of_the_queue(void **state)
{
    (void)state;
    wait_for_long(&first);
    wait_for_long(&second);
    give(&holder);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    assert_int_equal(step(&second), STEP_NAPS);
    assert_int_equal(step(&first), STEP_HAS_IT);
    give(&first);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    assert_int_equal(step(&second), STEP_HAS_IT);
    give(&second);
    assert_int_equal(step(&newcomer), STEP_HAS_IT);
}

/* The lock is for whoever comes first until somebody starves. */
static void test_no_place_before_long(void **state)
{
    (void)state;
    assert_int_equal(step(&first), STEP_NAPS);
    steps_advance(LONG_MS - 1);
    assert_int_equal(step(&first), STEP_NAPS);
    give(&holder);
    assert_int_equal(step(&newcomer), STEP_HAS_IT);
    steps_advance(1);
    assert_int_equal(step(&first), STEP_NAPS);
    give(&newcomer);
    assert_int_equal(step(&second), STEP_NAPS);
    assert_int_equal(step(&first), STEP_HAS_IT);
}

/* Both come to their places at one moment; who tries first keeps it. */
static void test_one_place_for_one(void **state)
{
    (void)state;
    assert_int_equal(step(&first), STEP_NAPS);
    assert_int_equal(step(&second), STEP_NAPS);
    steps_advance(LONG_MS);
    assert_int_equal(step(&second), STEP_NAPS);
    assert_int_equal(step(&first), STEP_NAPS);
    steps_advance(1);
    assert_int_equal(step(&first), STEP_NAPS);
    give(&holder);
    assert_int_equal(step(&first), STEP_NAPS);
    assert_int_equal(step(&second), STEP_HAS_IT);
}

/* A veteran's new place is behind that of the second one, which it does not wait for. */
static void test_who_has_queued_in_vain_waits_behind_nobody(void **state)
{
    (void)state;
    wait_for_long(&first);
    steps_advance(PLACE_MS - LONG_MS);
    wait_for_long(&second);
    steps_advance(1);
    assert_int_equal(step(&first), STEP_NAPS); /* its place has just become old */
    give(&holder);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    assert_int_equal(step(&first), STEP_HAS_IT);
    give(&first);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    assert_int_equal(step(&second), STEP_HAS_IT);
}

/* ---- who does not come for its turn ---- */

static void test_a_place_counts_for_a_while(void **state)
{
    (void)state;
    wait_for_long(&first);
    give(&holder);
    steps_advance(PLACE_MS - 1);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    steps_advance(1);
    assert_int_equal(step(&newcomer), STEP_HAS_IT);
}

static void test_the_dead_have_no_place(void **state)
{
    (void)state;
    wait_for_long(&first);
    give(&holder);
    assert_int_equal(step(&newcomer), STEP_NAPS);
    steps_stop(&first);
    assert_int_equal(step(&newcomer), STEP_HAS_IT);
}

static void test_who_gives_up_has_no_place(void **state)
{
    (void)state;
    wait_for_long(&first);
    steps_advance(PATIENCE_MS - PLACE_MS);
    assert_int_equal(step(&first), STEP_NAPS); /* a new place, old after the deadline */
    steps_advance(PLACE_MS - LONG_MS);
    assert_int_equal(step(&first), STEP_BUSY);
    give(&holder);
    assert_int_equal(step(&newcomer), STEP_HAS_IT);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_the_order_of_the_queue),
        TEST(test_no_place_before_long),
        TEST(test_one_place_for_one),
        TEST(test_who_has_queued_in_vain_waits_behind_nobody),
        TEST(test_a_place_counts_for_a_while),
        TEST(test_the_dead_have_no_place),
        TEST(test_who_gives_up_has_no_place),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
