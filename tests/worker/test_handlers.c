/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers may ask and say, and what follows from it (T6-T8, T16, W3). */
#include "worker/rig.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.keep.done", "1h", NULL);
    return 0;
}

static struct dray_work_report work_one(void)
{
    struct dray_work_report report;
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    return report;
}

static void on(const char *type, dray_handler_fn fn, void *user)
{
    assert_ok(dray_on(rig, type, fn, user, NULL, &rig_error));
}

/* ---- what a handler may ask ---- */

static int asks(struct dray_attempt *a, void *user)
{
    size_t len = 0;
    assert_string_equal(dray_attempt_id(a), "the-id");
    assert_string_equal(dray_attempt_type(a), "asks");
    assert_string_equal(dray_attempt_queue(a), "mail");
    assert_string_equal(dray_attempt_name(a), "for Ada");
    assert_int_equal(dray_attempt_number(a), *(uint32_t *)user);
    assert_int_equal(dray_attempt_max(a), 3);
    assert_int_equal(dray_attempt_fence(a), *(uint32_t *)user);
    assert_string_equal(dray_attempt_payload(a, &len), "{\"n\": [1, 2]}");
    assert_int_equal(len, 13);
    assert_string_equal(dray_attempt_payload(a, NULL), "{\"n\": [1, 2]}");
    const json_t *json = dray_attempt_json(a);
    assert_non_null(json);
    assert_ptr_equal(dray_attempt_json(a), json);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "n"), 1)), 2);
    assert_ptr_equal(dray_attempt_dray(a), rig);
    assert_int_equal(dray_attempt_cancelled(a), 0);
    assert_string_equal(dray_attempt_last_error(a), *(uint32_t *)user == 1 ? "" : "this time no");
    return dray_attempt_retry_in(a, 10, "this time %s", "no");
}

static void test_a_handler_knows_its_job(void **state)
{
    static const char *const queues[] = {"mail"};
    struct dray_worker_options options = {.queues = queues, .nqueues = 1};
    uint32_t number = 1;
    (void)state;
    on("asks", asks, &number);
    rig_push_as("asks", "{\"n\": [1, 2]}",
        &(struct dray_new_job){
            .id = "the-id", .queue = "mail", .name = "for Ada", .max_attempts = 3});
    assert_ok(dray_work_one(rig, &options, NULL, &rig_error));
    rig_advance(10);
    number = 2;
    assert_ok(dray_work_one(rig, &options, NULL, &rig_error));
}

static int large(struct dray_attempt *a, void *user)
{
    size_t len = 0;
    const char *payload = dray_attempt_payload(a, &len);
    *(int *)user = len == 100002 && payload[1] == 'x' && payload[100000] == 'x' &&
                   payload[100002] == 0 && strcmp(dray_attempt_name(a), "big") == 0;
    return DRAY_OK;
}

static void test_a_large_payload_comes_whole(void **state)
{
    static char payload[100003];
    int right = 0;
    (void)state;
    memset(payload, 'x', 100002);
    payload[0] = payload[100001] = '"';
    on("large", large, &right);
    rig_push_as("large", payload, &(struct dray_new_job){.name = "big"});
    work_one();
    assert_true(right);
}

/* ---- what a handler may say ---- */

static int says_result(struct dray_attempt *a, void *user)
{
    char note[4100];
    (void)user;
    memset(note, 'x', sizeof(note) - 1);
    note[sizeof(note) - 1] = 0;
    assert_int_equal(dray_attempt_result(a, "{\"bad\""), DRAY_INVALID);
    assert_int_equal(dray_attempt_result(a, NULL), DRAY_INVALID);
    assert_int_equal(dray_attempt_result(a, "[1]"), DRAY_OK);
    assert_int_equal(dray_attempt_result(a, "{\"sum\": 3}"), DRAY_OK);
    assert_int_equal(dray_attempt_progress(a, note), DRAY_LIMIT);
    assert_int_equal(dray_attempt_progress(a, "half"), DRAY_OK);
    assert_int_equal(dray_attempt_progress(a, "all"), DRAY_OK);
    return DRAY_OK;
}

static void test_a_result_is_kept(void **state)
{
    (void)state;
    on("t", says_result, NULL);
    rig_push("t", "a");
    work_one();
    struct dray_job_info *job = rig_get("a");
    assert_string_equal(job->state, "done");
    assert_string_equal(job->result, "{\"sum\": 3}");
    assert_string_equal(job->progress, "all");
    dray_job_info_free(job);
    assert_string_equal(rig_event(SAW_COMPLETE, 0).text, "{\"sum\": 3}");
}

static _Atomic int said;

static int says_progress(struct dray_attempt *a, void *user)
{
    dray_attempt_progress(a, "underway");
    atomic_store(&said, 1);
    return rig_wait(a, user);
}

/* J1: progress is carried by the renewals. */
static void test_progress_is_seen_meanwhile(void **state)
{
    (void)state;
    atomic_store(&said, 0);
    on("t", says_progress, NULL);
    rig_push("t", "a");
    assert_ok(dray_worker_start(rig, NULL, &rig_error));
    WAIT_FOR(atomic_load(&said));
    rig_advance(5001);
    for (int seen = 0; !seen; rig_nap()) {
        struct dray_job_info *job = rig_get("a");
        seen = job->progress && strcmp(job->progress, "underway") == 0;
        dray_job_info_free(job);
    }
    rig_release();
}

static int fails_long(struct dray_attempt *a, void *user)
{
    char text[5000];
    (void)user;
    memset(text, 'x', sizeof(text));
    memcpy(text + 4990, "the end", 8);
    return dray_attempt_fail(a, "%s", text);
}

/* J1: of a long error the last 4 KiB stay. */
static void test_the_end_of_an_error_stays(void **state)
{
    (void)state;
    on("t", fails_long, NULL);
    rig_push("t", "a");
    work_one();
    struct dray_job_info *job = rig_get("a");
    assert_int_equal(strlen(job->last_error), 4096);
    assert_string_equal(job->last_error + 4096 - 7, "the end");
    dray_job_info_free(job);
}

static int returns(struct dray_attempt *a, void *user)
{
    (void)a;
    return *(int *)user;
}

static void test_any_other_value_is_a_failure(void **state)
{
    int value = 17;
    (void)state;
    on("t", returns, &value);
    rig_push("t", "a");
    struct dray_work_report report = work_one();
    assert_int_equal(report.failed, 1);
    assert_non_null(strstr(rig_event(SAW_ERROR, 0).text, "17"));
    assert_int_equal(rig_event(SAW_ERROR, 0).will_retry, 1);
}

static int gives_up(struct dray_attempt *a, void *user)
{
    (void)user;
    return dray_attempt_give_up(a, "no such user %d", 7);
}

static void test_giving_up_is_final(void **state)
{
    (void)state;
    on("t", gives_up, NULL);
    rig_push("t", "a");
    struct dray_work_report report = work_one();
    assert_int_equal(report.dead, 1);
    assert_string_equal(rig_state("a"), "dead");
    assert_string_equal(rig_event(SAW_DEAD, 0).text, "no such user 7");
}

/* A verdict counts even if the handler then returns DRAY_OK. The last word wins. */
static int contradicts_itself(struct dray_attempt *a, void *user)
{
    dray_attempt_give_up(a, "first");
    if (*(int *)user)
        dray_attempt_repeat_in(a, 1000);
    return DRAY_OK;
}

static void test_the_last_word_wins(void **state)
{
    int repeat = 0;
    (void)state;
    on("t", contradicts_itself, &repeat);
    rig_push("t", "a");
    work_one();
    assert_string_equal(rig_state("a"), "dead");
    repeat = 1;
    rig_push("t", "b");
    work_one();
    assert_string_equal(rig_state("b"), "delayed");
}

static int repeats(struct dray_attempt *a, void *user)
{
    (void)user;
    assert_int_equal(dray_attempt_number(a), 1); /* T16: attempts begin anew */
    return dray_attempt_repeat_in(a, 60000);
}

/* T16 */
static void test_a_job_repeats_itself(void **state)
{
    (void)state;
    on("t", repeats, NULL);
    rig_push("t", "a");
    for (unsigned i = 0; i < 6; i++) {
        struct dray_work_report report = work_one();
        assert_int_equal(report.succeeded, 1);
        assert_int_equal(rig_saw(SAW_COMPLETE), i + 1);
        rig_advance(60000);
    }
}

static int waits_for_ever(struct dray_attempt *a, void *user)
{
    return *(int *)user ? dray_attempt_repeat_in(a, UINT64_MAX)
                        : dray_attempt_retry_in(a, UINT64_MAX, "later");
}

/* The longest wait is ten years; it does not turn round. */
static void test_a_wait_has_an_end(void **state)
{
    int repeat = 0;
    (void)state;
    on("t", waits_for_ever, &repeat);
    for (; repeat < 2; repeat++) {
        rig_push("t", repeat ? "b" : "a");
        work_one();
        struct dray_job_info *job = rig_get(repeat ? "b" : "a");
        assert_string_equal(job->state, "delayed");
        assert_true(job->run_at_ms - dray_clock_wall_ms(rig_clock) > 9ll * 365 * 24 * 3600 * 1000);
        dray_job_info_free(job);
    }
}

static int dispatches(struct dray_attempt *a, void *user)
{
    (void)user;
    return dray_dispatch(dray_attempt_dray(a), "next", "1", NULL, NULL, NULL);
}

static void test_a_handler_may_dispatch(void **state)
{
    (void)state;
    on("t", dispatches, NULL);
    on("next", rig_succeed, NULL);
    rig_push("t", "a");
    work_one();
    work_one();
    assert_int_equal(rig_runs(), 1);
}

/* ---- backoff and limits ---- */

static uint64_t retry_after(const struct dray_handler_options *options, uint32_t attempt)
{
    uint64_t wait = 0;
    rig_hold_back();
    assert_ok(dray_on(rig, "f", rig_fail, NULL, options, &rig_error));
    rig_push_as("f", NULL, &(struct dray_new_job){.id = "f", .max_attempts = 99});
    for (uint32_t i = 1; i <= attempt; i++) {
        unsigned before = rig_saw(SAW_ERROR);
        work_one();
        wait = rig_event(SAW_ERROR, before).retry_in_ms;
        rig_advance((int64_t)wait);
    }
    assert_ok(dray_remove(rig, NULL, "f", 0, &rig_error));
    return wait;
}

static void test_the_wait_follows_the_policy(void **state)
{
    struct dray_handler_options o = {
        .backoff = {.strategy = DRAY_BACKOFF_EXPONENTIAL, .base_ms = 100, .jitter = -1}};
    (void)state;
    assert_int_equal(retry_after(&o, 1), 100);
    assert_int_equal(retry_after(&o, 2), 200);
    assert_int_equal(retry_after(&o, 5), 1600);
    o.backoff.cap_ms = 1000;
    assert_int_equal(retry_after(&o, 5), 1000);
    assert_int_equal(retry_after(&o, 70), 1000);
    o.backoff.strategy = DRAY_BACKOFF_LINEAR;
    assert_int_equal(retry_after(&o, 3), 300);
    o.backoff.strategy = DRAY_BACKOFF_FIXED;
    assert_int_equal(retry_after(&o, 4), 100);
    o.backoff.strategy = DRAY_BACKOFF_NONE;
    assert_int_equal(retry_after(&o, 4), 0);
}

static void test_jitter_stays_in_its_bounds(void **state)
{
    struct dray_handler_options o = {
        .backoff = {.strategy = DRAY_BACKOFF_FIXED, .base_ms = 10000, .jitter = 0.5}};
    uint64_t least = UINT64_MAX, most = 0;
    (void)state;
    for (int i = 0; i < 60; i++) {
        uint64_t wait = retry_after(&o, 1);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_true(least >= 5000 && most <= 15000);
    assert_true(least < 8000 && most > 12000); /* and uses them */
}

static uint64_t own_backoff(uint32_t attempt, void *user)
{
    return attempt * *(uint64_t *)user;
}

static void test_a_function_says_the_wait(void **state)
{
    uint64_t step = 7;
    (void)state;
    assert_ok(dray_on(rig, "f", rig_fail, &step,
        &(struct dray_handler_options){
            .backoff_fn = own_backoff, .backoff = {.strategy = DRAY_BACKOFF_FIXED, .base_ms = 1}},
        &rig_error));
    rig_push("f", "a");
    work_one();
    assert_int_equal(rig_event(SAW_ERROR, 0).retry_in_ms, 7);
    rig_advance(7);
    work_one();
    assert_int_equal(rig_event(SAW_ERROR, 1).retry_in_ms, 14);
}

static void test_wrong_handlers_are_refused(void **state)
{
    struct dray_handler_options o = {.backoff = {.strategy = 9}};
    (void)state;
    assert_int_equal(dray_on(rig, "f", rig_fail, NULL, &o, &rig_error), DRAY_INVALID);
    o.backoff.strategy = DRAY_BACKOFF_FIXED;
    o.backoff.jitter = 1.5;
    assert_int_equal(dray_on(rig, "f", rig_fail, NULL, &o, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_on(rig, "a b", rig_fail, NULL, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_on(rig, NULL, rig_fail, NULL, NULL, &rig_error), DRAY_INVALID);
}

static uint32_t attempts_until_dead(const char *id)
{
    uint32_t n = 0;
    while (strcmp(rig_state(id), "dead") != 0) {
        work_one();
        rig_advance(3600000);
        n++;
    }
    return n;
}

/* J1: the job's own limit, else the handler's, else the configuration's. */
static void test_whose_limit_counts(void **state)
{
    struct dray_handler_options two = {.max_attempts = 2};
    (void)state;
    on("f", rig_fail, NULL);
    rig_push("f", "configured");
    assert_int_equal(attempts_until_dead("configured"), 4);
    assert_ok(dray_on(rig, "f", rig_fail, NULL, &two, &rig_error));
    rig_push("f", "handlers");
    assert_int_equal(attempts_until_dead("handlers"), 2);
    rig_push_as("f", NULL, &(struct dray_new_job){.id = "own", .max_attempts = 1});
    assert_int_equal(attempts_until_dead("own"), 1);
}

/* ---- replacing ---- */

static void test_a_handler_is_replaced_meanwhile(void **state)
{
    (void)state;
    on("t", rig_fail, NULL);
    struct dray_worker_options options = {.concurrency = 2, .callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    for (int i = 0; i < 100; i++) {
        on("t", i % 2 ? rig_succeed : rig_fail, NULL);
        rig_push_as("t", NULL, &(struct dray_new_job){.max_attempts = 1});
    }
    WAIT_FOR(rig_saw(SAW_COMPLETE) + rig_saw(SAW_DEAD) == 100);
    on("t", rig_succeed, NULL);
    rig_push("t", "replaced");
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "replaced") == 1);
    on("t", NULL, NULL);
    rig_push("t", "removed");
    WAIT_FOR(strcmp(rig_state("removed"), "delayed") == 0);
}

/* ---- commands ---- */

static int open_commands(void **state)
{
    static const char yaml[] = "queue: {driver: memory, worker: {shutdown_timeout: 2s}}\n"
                               "handlers:\n"
                               "  count: {command: [wc, -c]}\n"
                               "  fail:  {command: [sh, -c, \"echo broken >&2; exit 3\"]}\n"
                               "  final: {command: [sh, -c, \"exit 65\"]}\n"
                               "  die:   {command: [sh, -c, \"kill -9 $$\"], max_attempts: 1}\n"
                               "  sleep: {command: [sleep, \"100\"], grace: 1s}\n";
    (void)state;
    rig_open("memory", 0, NULL);
    assert_ok(dray_close(rig));
    struct dray_options options = {.yaml = yaml, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    assert_ok(dray_open(&rig, &options, &rig_error));
    return 0;
}

/* W3 */
static void test_commands_run_as_handlers(void **state)
{
    (void)state;
    struct dray_worker_options options = {.concurrency = 2, .callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    rig_push_as("count", "[1,2,3]", &(struct dray_new_job){.id = "count"});
    rig_push("fail", "fail");
    rig_push("final", "final");
    rig_push("die", "die");
    rig_push("sleep", "sleep");
    WAIT_FOR(rig_saw_job(SAW_COMPLETE, "count") && rig_saw_job(SAW_ERROR, "fail") &&
             rig_saw_job(SAW_DEAD, "final") && rig_saw_job(SAW_DEAD, "die") &&
             rig_saw_job(SAW_JOB_START, "sleep"));
    assert_string_equal(rig_event(SAW_COMPLETE, 0).text, "7");
    assert_string_equal(rig_event(SAW_ERROR, 0).text, "broken");
    unsigned die = strcmp(rig_event(SAW_DEAD, 0).id, "die") == 0 ? 0 : 1;
    assert_non_null(strstr(rig_event(SAW_DEAD, die).text, "SIGKILL"));
    /* W4: told before the end, and its job given back. */
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    struct dray_job_info *job = rig_get("sleep");
    assert_string_equal(job->state, "ready");
    assert_int_equal(job->attempts, 0);
    dray_job_info_free(job);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_memory, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_a_handler_knows_its_job),
        WITH(test_a_large_payload_comes_whole),
        WITH(test_a_result_is_kept),
        WITH(test_progress_is_seen_meanwhile),
        WITH(test_the_end_of_an_error_stays),
        WITH(test_any_other_value_is_a_failure),
        WITH(test_giving_up_is_final),
        WITH(test_the_last_word_wins),
        WITH(test_a_job_repeats_itself),
        WITH(test_a_wait_has_an_end),
        WITH(test_a_handler_may_dispatch),
        WITH(test_the_wait_follows_the_policy),
        WITH(test_jitter_stays_in_its_bounds),
        WITH(test_a_function_says_the_wait),
        WITH(test_wrong_handlers_are_refused),
        WITH(test_whose_limit_counts),
        WITH(test_a_handler_is_replaced_meanwhile),
        cmocka_unit_test_setup_teardown(test_commands_run_as_handlers, open_commands, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
