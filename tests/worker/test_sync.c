/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that run in the caller (S1, S2). */
#include "worker/rig.h"

#include <setjmp.h>
#include <stdio.h>

static int open_sync(void **state)
{
    (void)state;
    rig_open("sync", 1, NULL);
    return 0;
}

static int counted;

static int count_up(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    counted++;
    return DRAY_OK;
}

static int fail_twice(struct dray_attempt *attempt, void *user)
{
    (void)user;
    counted++;
    return dray_attempt_number(attempt) < 3 ? dray_attempt_fail(attempt, "not yet") : DRAY_OK;
}

static void on(const char *type, dray_handler_fn fn, void *user)
{
    assert_ok(dray_on(rig, type, fn, user, NULL, &rig_error));
}

/* S1: run when dispatched, retries follow without waiting, a delay is not waited for. */
static void test_dispatch_runs_the_job(void **state)
{
    struct dray_dispatched out;
    (void)state;
    counted = 0;
    on("t", count_up, NULL);
    on("again", fail_twice, NULL);
    assert_int_equal(dray_get_info(rig)->runs_inline, 1);
    assert_ok(dray_dispatch(rig, "t", "1", NULL, &out, &rig_error));
    assert_int_equal(counted, 1);
    assert_int_equal(out.code, DRAY_OK);
    assert_ok(dray_dispatch(rig, "again", NULL, NULL, NULL, &rig_error));
    assert_int_equal(counted, 4);
    assert_ok(dray_dispatch(
        rig, "t", NULL, &(struct dray_new_job){.delay_ms = 3600000}, NULL, &rig_error));
    assert_int_equal(counted, 5);
}

/* S1: failed for good, with its error; the job is kept for inspection. */
static void test_the_error_comes_back(void **state)
{
    struct dray_dispatched out;
    (void)state;
    on("f", rig_fail, NULL);
    struct dray_new_job job = {.id = "a", .max_attempts = 3};
    assert_int_equal(dray_dispatch(rig, "f", NULL, &job, &out, &rig_error), DRAY_FAILED);
    assert_int_equal(out.code, DRAY_FAILED);
    assert_int_equal(rig_runs(), 3);
    assert_non_null(strstr(rig_error.text, "no luck at attempt 3"));
    struct dray_job_info *info = rig_get("a");
    assert_string_equal(info->state, "dead");
    assert_int_equal(info->attempts, 3);
    assert_string_equal(info->last_error, "no luck at attempt 3");
    dray_job_info_free(info);
}

/* S2: no handler for the type, and nothing stored. */
static void test_without_a_handler_nothing_is_stored(void **state)
{
    struct dray_stats *stats = NULL;
    (void)state;
    assert_int_equal(dray_dispatch(rig, "nobody", NULL, NULL, NULL, &rig_error), DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "nobody"));
    struct dray_new_job two[] = {{.type = "t"}, {.type = "nobody"}};
    on("t", count_up, NULL);
    counted = 0;
    assert_int_equal(dray_dispatch_batch(rig, two, 2, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(counted, 0);
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->pushed, 0);
    dray_stats_free(stats);
}

static int nest(struct dray_attempt *attempt, void *user)
{
    int *code = user;
    counted++;
    *code = dray_dispatch(dray_attempt_dray(attempt), "nest", NULL, NULL, NULL, &rig_error);
    return DRAY_OK;
}

/* S2: sixteen deep, then INVALID. */
static void test_nesting_ends(void **state)
{
    int code = DRAY_OK;
    (void)state;
    counted = 0;
    struct dray_handler_options once = {.max_attempts = 1};
    assert_ok(dray_on(rig, "nest", nest, &code, &once, &rig_error));
    for (int i = 0; i < 3; i++) {
        counted = 0;
        code = DRAY_OK;
        dray_dispatch(rig, "nest", NULL, NULL, NULL, NULL);
        assert_int_equal(counted, 16);
    }
}

static int deepest;

static int note_deepest(struct dray_attempt *attempt, void *user)
{
    (void)user;
    int code = dray_dispatch(dray_attempt_dray(attempt), "nest", NULL, NULL, NULL, NULL);
    if (code == DRAY_INVALID)
        deepest = code;
    return DRAY_OK;
}

static void test_the_seventeenth_is_invalid(void **state)
{
    (void)state;
    deepest = DRAY_OK;
    on("nest", note_deepest, NULL);
    assert_ok(dray_dispatch(rig, "nest", NULL, NULL, NULL, &rig_error));
    assert_int_equal(deepest, DRAY_INVALID);
}

static int dispatch_later(struct dray_attempt *attempt, void *user)
{
    (void)user;
    return dray_dispatch(dray_attempt_dray(attempt), "t", NULL,
        &(struct dray_new_job){.id = "later", .delay_ms = 1000}, NULL, NULL);
}

/* S2: delayed, from inside a handler: stored, not run. */
static void test_a_delayed_dispatch_inside_is_stored(void **state)
{
    (void)state;
    counted = 0;
    on("t", count_up, NULL);
    on("outer", dispatch_later, NULL);
    assert_ok(dray_dispatch(rig, "outer", NULL, NULL, NULL, &rig_error));
    assert_int_equal(counted, 0);
    assert_string_equal(rig_state("later"), "delayed");
}

/* S2: in order, and each is answered. */
static void test_a_batch_answers_for_each(void **state)
{
    struct dray_dispatched out[3];
    (void)state;
    counted = 0;
    on("t", count_up, NULL);
    on("f", rig_fail, NULL);
    struct dray_new_job jobs[] = {
        {.type = "t", .id = "a"}, {.type = "f", .id = "b", .max_attempts = 2}, {.type = "t"}};
    assert_int_equal(dray_dispatch_batch(rig, jobs, 3, out, &rig_error), DRAY_FAILED);
    assert_int_equal(out[0].code, DRAY_OK);
    assert_int_equal(out[1].code, DRAY_FAILED);
    assert_int_equal(out[2].code, DRAY_OK);
    assert_int_equal(counted, 2);
    assert_non_null(strstr(rig_error.text, "no luck"));
}

static jmp_buf out_of_here;

static int jump_out(struct dray_attempt *attempt, void *user)
{
    int depth = *(int *)user;
    counted++;
    if (counted % 4 == depth % 4)
        longjmp(out_of_here, 1);
    return dray_dispatch(dray_attempt_dray(attempt), "jump", NULL, NULL, NULL, NULL);
}

/* S1: nothing of ours is held across a handler, so that an assertion may jump out of it. */
static void test_a_handler_may_be_jumped_out_of(void **state)
{
    static int round;
    (void)state;
    on("jump", jump_out, &round);
    on("t", count_up, NULL);
    for (round = 0; round < 40; round++) {
        counted = 0;
        if (setjmp(out_of_here) == 0) {
            dray_dispatch(rig, "jump", NULL, NULL, NULL, NULL);
            fail();
        }
        int before = counted;
        assert_ok(dray_dispatch(rig, "t", NULL, NULL, NULL, &rig_error));
        assert_int_equal(counted, before + 1);
    }
    /* The depth is known afresh, and the instance can be closed. */
    deepest = DRAY_OK;
    counted = 0;
    int code = DRAY_OK;
    on("nest", nest, &code);
    assert_ok(dray_dispatch(rig, "nest", NULL, NULL, NULL, &rig_error));
    assert_int_equal(counted >= 16, 1);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
}

static int add_two(void *arg)
{
    return *(int *)arg + 2;
}

static void test_there_is_nothing_to_work_on(void **state)
{
    int result = 0, two = 2;
    (void)state;
    assert_int_equal(dray_worker_start(rig, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_work(rig, NULL, NULL, &rig_error), DRAY_INVALID);
    assert_ok(dray_run_inline(rig, add_two, &two, &result, &rig_error));
    assert_int_equal(result, 4);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_sync, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_dispatch_runs_the_job),
        WITH(test_the_error_comes_back),
        WITH(test_without_a_handler_nothing_is_stored),
        WITH(test_nesting_ends),
        WITH(test_the_seventeenth_is_invalid),
        WITH(test_a_delayed_dispatch_inside_is_stored),
        WITH(test_a_batch_answers_for_each),
        WITH(test_a_handler_may_be_jumped_out_of),
        WITH(test_there_is_nothing_to_work_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
