/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the threads before a gate is next. A thread that is always at it is back before one that
 * it wakes has run, so nobody would ever see the gate open; the clock and each look are the test's
 * (steps.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/gate.h"
#include "unit/steps.h"

#define LONG_MS 20 /* who has waited for so long is next */
#define PATIENCE_MS 1000

static uint64_t gates; /* each test has its own */
static struct gate *gate;
static struct waiter_run hog, first, second, child;

static void pass_once(void)
{
    int entered = gate_enter(gate, gate_clock_ms() + PATIENCE_MS);
    step_say(entered ? STEP_HAS_IT : STEP_BUSY);
    step_be_told();
    if (entered)
        gate_leave(gate);
}

/* Leaves and is back in one step. */
static void pass_thrice(void)
{
    for (int i = 0; i < 3; i++)
        pass_once();
}

static int begin(void **state)
{
    (void)state;
    gate = gate_of(0, gates++);
    steps_begin();
    steps_start_thread(&hog, pass_thrice);
    steps_start_thread(&first, pass_once);
    steps_start_thread(&second, pass_once);
    assert_int_equal(step(&hog), STEP_HAS_IT);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    steps_stop(&hog);
    steps_stop(&first);
    steps_stop(&second);
    steps_end();
    return 0;
}

static void wait_for_long(struct waiter_run *waiter)
{
    assert_int_equal(step(waiter), STEP_NAPS);
    steps_advance(LONG_MS);
    assert_int_equal(step(waiter), STEP_NAPS);
}

static void test_who_is_back_at_once_may_enter(void **state)
{
    (void)state;
    assert_int_equal(step(&first), STEP_NAPS);
    steps_advance(LONG_MS - 1);
    assert_int_equal(step(&first), STEP_NAPS);
    assert_int_equal(step(&hog), STEP_HAS_IT);
}

static void test_but_not_before_those_who_have_waited_for_long(void **state)
{
    (void)state;
    wait_for_long(&first);
    wait_for_long(&second);
    assert_int_equal(step(&hog), STEP_NAPS);
    assert_int_equal(step(&second), STEP_NAPS);
    assert_int_equal(step(&first), STEP_HAS_IT);
    assert_int_equal(step(&hog), STEP_NAPS);
    assert_int_equal(step(&first), STEP_GONE);
    assert_int_equal(step(&hog), STEP_NAPS);
    assert_int_equal(step(&second), STEP_HAS_IT);
    assert_int_equal(step(&second), STEP_GONE);
    assert_int_equal(step(&hog), STEP_HAS_IT);
}

static void test_who_gives_up_is_not_next(void **state)
{
    (void)state;
    wait_for_long(&first);
    steps_advance(PATIENCE_MS / 2);
    wait_for_long(&second);
    steps_advance(PATIENCE_MS / 2 - LONG_MS);
    assert_int_equal(step(&first), STEP_BUSY);
    assert_int_equal(step(&hog), STEP_NAPS);
    assert_int_equal(step(&second), STEP_HAS_IT);
    assert_int_equal(step(&second), STEP_GONE);
    assert_int_equal(step(&hog), STEP_HAS_IT);
}

/* Those who are in it and before it are the parent's threads. */
static void test_a_child_of_fork_finds_it_open(void **state)
{
    (void)state;
    wait_for_long(&first);
    steps_start_process(&child, pass_once);
    assert_int_equal(step(&child), STEP_HAS_IT);
    assert_int_equal(step(&child), STEP_GONE);
    steps_stop(&child);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_back_at_once_may_enter),
        TEST(test_but_not_before_those_who_have_waited_for_long),
        TEST(test_who_gives_up_is_not_next),
        TEST(test_a_child_of_fork_finds_it_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
