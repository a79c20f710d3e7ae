/* SPDX-License-Identifier: Apache-2.0 */
/* Taking in jobs from elsewhere (T14): what is checked, what is kept. */
#include "worker/rig.h"

#include <stdio.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, NULL);
    return 0;
}

static int open_bare(void **state)
{
    (void)state;
    rig_open("bare", 0, NULL);
    return 0;
}

static int open_sync(void **state)
{
    (void)state;
    rig_open("sync", 0, NULL);
    return 0;
}

static struct dray_job_info ready_job(const char *id)
{
    return (struct dray_job_info){
        .id = id, .queue = "default", .type = "t", .state = "ready", .payload = "1", .priority = 5};
}

static void test_all_that_was_lived_through_is_kept(void **state)
{
    (void)state;
    int64_t now = dray_clock_wall_ms(rig_clock);
    struct dray_job_info was = ready_job("one");
    was.state = "dead";
    was.attempts = 3;
    was.releases = 2;
    was.fence = 41;
    was.cancelled = 1; /* means nothing by now */
    was.last_error = "no route";
    was.progress = "half";
    was.created_ms = now - 5000;
    was.ended_ms = now - 1000;
    assert_ok(dray_restore(rig, &was, 1, 0, NULL, &rig_error));
    struct dray_job_info *is = rig_get("one");
    assert_string_equal(is->state, "dead");
    assert_int_equal(is->attempts, 3);
    assert_int_equal(is->releases, 2);
    assert_int_equal(is->fence, 41);
    assert_int_equal(is->cancelled, 0);
    assert_string_equal(is->last_error, "no route");
    assert_string_equal(is->progress, "half");
    assert_int_equal(is->created_ms, was.created_ms);
    assert_int_equal(is->ended_ms, was.ended_ms);
    dray_job_info_free(is);
    struct dray_stats *stats = NULL;
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->pushed, 0);
    dray_stats_free(stats);
}

static int keep_fence(struct dray_attempt *attempt, void *user)
{
    *(uint64_t *)user = dray_attempt_fence(attempt) * 100 + dray_attempt_number(attempt);
    return DRAY_OK;
}

/* What another worker held is ready here, and counts on from there. */
static void test_an_active_job_arrives_as_ready(void **state)
{
    (void)state;
    uint64_t seen = 0;
    struct dray_job_info was = ready_job("one");
    was.state = "active";
    was.owner = "elsewhere:1";
    was.lease_until_ms = dray_clock_wall_ms(rig_clock) + 60000;
    was.attempts = 2;
    was.fence = 7;
    assert_ok(dray_restore(rig, &was, 1, 0, NULL, &rig_error));
    assert_string_equal(rig_state("one"), "ready");
    assert_ok(dray_on(rig, "t", keep_fence, &seen, NULL, &rig_error));
    assert_ok(dray_work_one(rig, NULL, NULL, &rig_error));
    assert_int_equal(seen, 803); /* F1: the eighth token, the third attempt */
}

static void test_what_is_there_is_left_alone(void **state)
{
    (void)state;
    struct dray_dispatched out[3];
    rig_push_as("t", "1", &(struct dray_new_job){.id = "there", .priority = DRAY_PRIORITY(9)});
    struct dray_job_info jobs[3] = {ready_job("new"), ready_job("there"), ready_job("other")};
    assert_ok(dray_restore(rig, jobs, 2, 0, out, &rig_error));
    assert_int_equal(out[0].code, DRAY_OK);
    assert_int_equal(out[1].code, DRAY_EXISTS);
    struct dray_job_info *is = rig_get("there");
    assert_int_equal(is->priority, 9);
    dray_job_info_free(is);
    jobs[1].payload = "2";
    jobs[0].id = "newer";
    assert_int_equal(dray_restore(rig, jobs, 3, 0, out, &rig_error), DRAY_CONFLICT);
    assert_int_equal(out[0].code, DRAY_OK);
    assert_int_equal(out[1].code, DRAY_CONFLICT);
    assert_non_null(strstr(rig_error.text, "job 1 of the batch"));
    assert_string_equal(rig_state("newer"), "gone");
}

static void refused(int code, const char *word, struct dray_job_info job)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info jobs[2] = {ready_job("fine"), job};
    for (uint32_t flags = 0; flags <= DRAY_RESTORE_CHECK; flags++) {
        struct dray_dispatched out[2];
        int got = dray_restore(rig, jobs, 2, flags, out, &error);
        if (got != code || error.code != code || !strstr(error.text, word))
            fail_msg("%s, not %s: %s", dray_code_name(got), dray_code_name(code), error.text);
        assert_non_null(strstr(error.text, "job 1 of the batch"));
        assert_int_equal(out[0].code, DRAY_OK);
        assert_int_equal(out[1].code, code);
    }
    assert_string_equal(rig_state("fine"), "gone");
}

#define REFUSED(code, word, member, value)                                                         \
    do {                                                                                           \
        struct dray_job_info job_ = ready_job("two");                                              \
        job_.member = (value);                                                                     \
        refused(code, word, job_);                                                                 \
    } while (0)

static void test_wrong_jobs_are_refused(void **state)
{
    static char longer[5000];
    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    REFUSED(DRAY_INVALID, "id", id, NULL);
    REFUSED(DRAY_INVALID, "id", id, "a b");
    REFUSED(DRAY_INVALID, "type", type, "");
    REFUSED(DRAY_INVALID, "queue", queue, NULL);
    REFUSED(DRAY_INVALID, "queue", queue, "other");
    REFUSED(DRAY_INVALID, "payload", payload, NULL);
    REFUSED(DRAY_INVALID, "payload", payload, "{");
    REFUSED(DRAY_INVALID, "state", state, NULL);
    REFUSED(DRAY_INVALID, "state", state, "asleep");
    REFUSED(DRAY_INVALID, "priority", priority, 10);
    REFUSED(DRAY_INVALID, "unique", unique_key, "a\nb");
    REFUSED(DRAY_LIMIT, "error", last_error, longer);
    REFUSED(DRAY_INVALID, "progress", progress, "\xff");
    REFUSED(DRAY_INVALID, "result", result, "[");
    REFUSED(DRAY_LIMIT, "fence", fence, UINT64_MAX);
    REFUSED(DRAY_LIMIT, "timeout", timeout_ms, UINT64_MAX);
    REFUSED(DRAY_LIMIT, "time", created_ms, -1);
    REFUSED(DRAY_LIMIT, "time", run_at_ms, INT64_MAX);
    REFUSED(DRAY_INVALID, "delayed", state, "delayed");
    REFUSED(DRAY_INVALID, "ended", state, "done");
}

static void test_check_stores_nothing(void **state)
{
    (void)state;
    struct dray_job_info job = ready_job("one");
    assert_ok(dray_restore(rig, &job, 1, DRAY_RESTORE_CHECK, NULL, &rig_error));
    assert_string_equal(rig_state("one"), "gone");
    assert_int_equal(dray_restore(rig, &job, 1, 2, NULL, &rig_error), DRAY_INVALID);
    assert_ok(dray_restore(rig, NULL, 0, 0, NULL, &rig_error));
    assert_int_equal(dray_restore(rig, NULL, 0, 2, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_restore(rig, NULL, 1, 0, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_restore(NULL, &job, 1, 0, NULL, &rig_error), DRAY_INVALID);
}

static void test_what_the_driver_lacks_is_refused(void **state)
{
    (void)state;
    struct dray_job_info job = ready_job("one");
    job.unique_key = "k";
    assert_int_equal(dray_restore(rig, &job, 1, 0, NULL, &rig_error), DRAY_UNSUPPORTED);
    job = ready_job("one");
    job.priority = 1;
    assert_int_equal(dray_restore(rig, &job, 1, 0, NULL, &rig_error), DRAY_UNSUPPORTED);
    job = ready_job("one");
    job.state = "done";
    job.ended_ms = 1;
    assert_int_equal(dray_restore(rig, &job, 1, 0, NULL, &rig_error), DRAY_UNSUPPORTED);
    assert_non_null(strstr(rig_error.text, "bare"));
    struct dray_job_info two[2] = {ready_job("one"), ready_job("two")};
    struct dray_dispatched out[2] = {{.code = 99}, {.code = 99}};
    assert_int_equal(dray_restore(rig, two, 2, 0, out, &rig_error), DRAY_LIMIT);
    assert_int_equal(out[0].code, DRAY_LIMIT);
    assert_int_equal(out[1].code, DRAY_LIMIT);
}

static void test_sync_takes_in_nothing(void **state)
{
    (void)state;
    struct dray_job_info job = ready_job("one");
    assert_int_equal(dray_restore(rig, &job, 1, 0, NULL, &rig_error), DRAY_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_all_that_was_lived_through_is_kept, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(
            test_an_active_job_arrives_as_ready, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_what_is_there_is_left_alone, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_wrong_jobs_are_refused, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_check_stores_nothing, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(
            test_what_the_driver_lacks_is_refused, open_bare, rig_close),
        cmocka_unit_test_setup_teardown(test_sync_takes_in_nothing, open_sync, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
