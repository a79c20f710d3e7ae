/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs on their way from one store to another, and what happens to either while they are: of two
 * stores one does as the test says. Whatever it says, each job is in one of them afterwards, or the
 * command tells that it is in both.
 */
#include "../../cli/carry.h"
#include "../../cli/cli.h"
#include "worker/rig.h"

#include <stdio.h>

#define BATCH 100

static struct cli cli = {.quiet = 1};
static struct dray *scripted; /* the other store; `rig` is a plain one */

static int begin(void **state)
{
    (void)state;
    rig_open("memory", 1, NULL);
    const struct dray_options options = {
        .driver = "slow", .clock = rig_clock, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    assert_ok(dray_open(&scripted, &options, &rig_error));
    return 0;
}

static int finish(void **state)
{
    script_reset();
    dray_close(scripted);
    return rig_close(state);
}

static void push(struct dray *dray, const char *id)
{
    assert_ok(dray_dispatch(dray, "t", NULL, &(struct dray_new_job){.id = id}, NULL, &rig_error));
}

static int carry(struct carry *c, struct dray *from, struct dray *to, size_t most)
{
    *c = (struct carry){.cli = &cli, .from = from, .to = to};
    assert_int_equal(carry_init(c, most), EXIT_DONE);
    int status = carry_queue(c, "default");
    carry_free(c);
    return status;
}

static void expect(struct dray *dray, uint64_t ready, uint64_t active)
{
    struct dray_stats *stats = NULL;
    struct dray_queue_stats none = {0};
    assert_ok(dray_get_stats(dray, "default", &stats, &rig_error));
    const struct dray_queue_stats *queue = stats->nqueues ? &stats->queues[0] : &none;
    assert_int_equal(queue->ready, ready);
    assert_int_equal(queue->active, active);
    assert_int_equal(queue->delayed + queue->dead + queue->done, 0);
    dray_stats_free(stats);
}

/* ---- a store that refuses ---- */

static void test_what_the_new_store_refuses_stays(void **state)
{
    struct carry c;
    (void)state;
    push(rig, "a");
    push(rig, "b");
    script_say(SCRIPT_PUSH, DRAY_FULL, 1, 0);
    assert_int_equal(carry(&c, rig, scripted, BATCH), exit_of(DRAY_FULL));
    assert_int_equal(c.moved, 0);
    expect(rig, 2, 0);
    expect(scripted, 0, 0);
    script_say(SCRIPT_PUSH, DRAY_OK, 1, 1);
    script_say(SCRIPT_PUSH, DRAY_UNREACHABLE, 1, 0);
    assert_int_equal(carry(&c, rig, scripted, 1), EXIT_UNREACHABLE);
    assert_int_equal(c.moved, 1);
    expect(rig, 1, 0);
    expect(scripted, 1, 0);
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved, 1);
    expect(rig, 0, 0);
    expect(scripted, 2, 0);
}

/* Stored, and not removed: the second try finds them by their ids. */
static void test_what_the_old_store_keeps_is_moved_again(void **state)
{
    struct carry c;
    (void)state;
    push(scripted, "a");
    push(scripted, "b");
    script_say(SCRIPT_CHANGE, DRAY_OK, 1, 1); /* the pause */
    script_say(SCRIPT_CHANGE, DRAY_UNREACHABLE, 1, 0);
    assert_int_equal(carry(&c, scripted, rig, BATCH), EXIT_UNREACHABLE);
    assert_int_equal(c.moved + c.there, 0);
    expect(scripted, 2, 0);
    expect(rig, 2, 0);
    assert_int_equal(carry(&c, scripted, rig, BATCH), EXIT_DONE);
    assert_int_equal(c.moved, 0);
    assert_int_equal(c.there, 2);
    expect(scripted, 0, 0);
    expect(rig, 2, 0);
}

/* ---- jobs that change while they are moved ---- */

/* Somebody resumes the queue, and a worker takes the first job. */
static void start_one(void)
{
    script_before(SCRIPT_PUSH, NULL);
    assert_ok(dray_resume(rig, "default", &rig_error));
    assert_ok(dray_worker_start(rig, &(struct dray_worker_options){.concurrency = 1}, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    assert_ok(dray_pause(rig, "default", &rig_error));
}

static void push_two_to_wait(void)
{
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    push(rig, "a");
    push(rig, "b");
    script_before(SCRIPT_PUSH, start_one);
}

static void test_what_was_started_is_taken_back(void **state)
{
    struct carry c;
    (void)state;
    push_two_to_wait();
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved, 1);
    assert_int_equal(c.running, 1);
    assert_int_equal(c.conflict, 0);
    expect(rig, 0, 1);
    expect(scripted, 1, 0);
    assert_string_equal(rig_state("a"), "active");
    rig_release();
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved + c.there + c.running, 0);
    assert_int_equal(rig_runs(), 1);
}

static void test_what_cannot_be_taken_back_is_told(void **state)
{
    struct carry c;
    (void)state;
    push_two_to_wait();
    script_say(SCRIPT_CHANGE, DRAY_UNREACHABLE, 1, 0);
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved, 1);
    assert_int_equal(c.running, 1);
    assert_int_equal(c.conflict, 1);
    expect(rig, 0, 1);
    expect(scripted, 2, 0);
}

static void remove_one(void)
{
    script_before(SCRIPT_PUSH, NULL);
    assert_ok(dray_remove(rig, "default", "a", 0, &rig_error));
}

/* It may have been moved by another command, so it stays; but it was not this one that moved it. */
static void test_what_is_gone_is_told(void **state)
{
    struct carry c;
    (void)state;
    push(rig, "a");
    push(rig, "b");
    script_before(SCRIPT_PUSH, remove_one);
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved, 1);
    assert_int_equal(c.gone, 1);
    assert_int_equal(c.conflict, 1);
    expect(rig, 0, 0);
    expect(scripted, 2, 0);
}

static void test_what_is_gone_and_was_there_is_there(void **state)
{
    struct carry c;
    (void)state;
    push(rig, "a");
    push(scripted, "a");
    script_before(SCRIPT_PUSH, remove_one);
    assert_int_equal(carry(&c, rig, scripted, BATCH), EXIT_DONE);
    assert_int_equal(c.moved + c.gone + (unsigned)c.conflict, 0);
    assert_int_equal(c.there, 1);
    expect(scripted, 1, 0);
}

/* ---- a producer that never rests ---- */

static unsigned produced;

static void produce(void)
{
    char id[16];
    if (produced == 3000)
        return; /* so that this ends */
    snprintf(id, sizeof(id), "p%u", produced++);
    push(rig, id);
}

/* A job comes for each that is moved, which a pass does not wait for; nor are there many passes. */
static void test_a_producer_is_not_waited_for(void **state)
{
    enum { PASSES = 5, JOBS = 150 }; /* more than a page of a listing */
    struct carry c;
    (void)state;
    produced = 0;
    for (int i = 0; i < JOBS; i++)
        produce();
    script_before(SCRIPT_PUSH, produce);
    assert_int_equal(carry(&c, rig, scripted, 1), EXIT_DONE);
    assert_int_equal(c.moved, PASSES * JOBS);
    assert_int_equal(c.left, JOBS);
    assert_int_equal(c.conflict, 1);
    expect(rig, JOBS, 0);
    expect(scripted, PASSES * JOBS, 0);
    script_before(SCRIPT_PUSH, NULL);
    assert_int_equal(carry(&c, rig, scripted, 1), EXIT_DONE);
    assert_int_equal(c.moved, JOBS);
    assert_int_equal(c.left + (unsigned)c.conflict, 0);
    expect(rig, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_new_store_refuses_stays),
        TEST(test_what_the_old_store_keeps_is_moved_again),
        TEST(test_what_was_started_is_taken_back),
        TEST(test_what_cannot_be_taken_back_is_told),
        TEST(test_what_is_gone_is_told),
        TEST(test_what_is_gone_and_was_there_is_there),
        TEST(test_a_producer_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
