/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatching: what is checked, what is stored, what is answered (J2, J4, T1-T3, U1). */
#include "queue/turn.h"
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, NULL);
    return 0;
}

static int open_slow(void **state)
{
    (void)state;
    rig_open("slow", 0, NULL);
    return 0;
}

/* J1: every field comes back. */
static void test_every_field_is_stored(void **state)
{
    (void)state;
    struct dray_new_job job = {
        .queue = "mail",
        .id = "a.b_c:d-1",
        .name = "für Ada",
        .group = "ada",
        .unique = "one per Ada",
        .delay_ms = 5000,
        .timeout_ms = 777,
        .max_attempts = 9,
        .priority = DRAY_PRIORITY(0),
    };
    struct dray_dispatched out;
    assert_ok(dray_dispatch(rig, "greet", " {\"to\" : \"ada\"} ", &job, &out, &rig_error));
    assert_int_equal(out.code, DRAY_OK);
    assert_string_equal(out.id, job.id);
    struct dray_job_info *info = rig_get(job.id);
    assert_string_equal(info->queue, "mail");
    assert_string_equal(info->type, "greet");
    assert_string_equal(info->name, job.name);
    assert_string_equal(info->group, "ada");
    assert_string_equal(info->unique_key, job.unique);
    assert_string_equal(info->payload, " {\"to\" : \"ada\"} "); /* J2: byte for byte */
    assert_int_equal(info->payload_len, 16);
    assert_string_equal(info->state, "delayed");
    assert_int_equal(info->run_at_ms, dray_clock_wall_ms(rig_clock) + 5000);
    assert_int_equal(info->created_ms, dray_clock_wall_ms(rig_clock));
    assert_int_equal(info->timeout_ms, 777);
    assert_int_equal(info->max_attempts, 9);
    assert_int_equal(info->priority, 0);
    dray_job_info_free(info);
}

static void test_what_is_not_given_has_a_default(void **state)
{
    struct dray_dispatched out;
    (void)state;
    assert_ok(dray_dispatch(rig, "greet", NULL, NULL, &out, &rig_error));
    assert_int_equal(strlen(out.id), 36);
    struct dray_job_info *info = rig_get(out.id);
    assert_string_equal(info->queue, "default");
    assert_string_equal(info->payload, "null");
    assert_int_equal(info->priority, 5);
    assert_string_equal(info->state, "ready");
    assert_null(info->unique_key);
    dray_job_info_free(info);
    int64_t at = dray_clock_wall_ms(rig_clock) + 60000;
    rig_push_as("greet", NULL, &(struct dray_new_job){.id = "later", .at_ms = at});
    info = rig_get("later");
    assert_int_equal(info->run_at_ms, at);
    assert_string_equal(info->state, "delayed");
    dray_job_info_free(info);
}

static void refused(int code, const char *word, const char *type, const char *payload,
    const struct dray_new_job *more)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    int got = dray_dispatch(rig, type, payload, more, NULL, &error);
    if (got != code || error.code != code || !strstr(error.text, word))
        fail_msg("%s, not %s: %s", dray_code_name(got), dray_code_name(code), error.text);
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->pushed, 0);
    dray_stats_free(stats);
}

/* J2, J4: each wrong argument is refused by name, and nothing is stored. */
static void test_wrong_arguments_are_refused(void **state)
{
    char longer[300];
    (void)state;
    memset(longer, 'x', sizeof(longer));
    longer[65] = 0;
    refused(DRAY_INVALID, "type", NULL, NULL, NULL);
    refused(DRAY_INVALID, "type", "", NULL, NULL);
    refused(DRAY_INVALID, "type", "a b", NULL, NULL);
    refused(DRAY_INVALID, "type", "-a", NULL, NULL);
    refused(DRAY_INVALID, "type", longer, NULL, NULL);
    refused(DRAY_INVALID, "id", "t", NULL, &(struct dray_new_job){.id = longer});
    refused(DRAY_INVALID, "id", "t", NULL, &(struct dray_new_job){.id = ""});
    refused(DRAY_INVALID, "queue", "t", NULL, &(struct dray_new_job){.queue = "a/b"});
    refused(DRAY_INVALID, "group", "t", NULL, &(struct dray_new_job){.group = "a b"});
    longer[65] = 'x';
    longer[256] = 0;
    refused(DRAY_INVALID, "name", "t", NULL, &(struct dray_new_job){.name = longer});
    refused(DRAY_INVALID, "name", "t", NULL, &(struct dray_new_job){.name = "a\nb"});
    refused(DRAY_INVALID, "unique", "t", NULL, &(struct dray_new_job){.unique = "\xff"});
    refused(DRAY_INVALID, "unique", "t", NULL,
        &(struct dray_new_job){.unique = "k", .flags = DRAY_UNIQUE});
    refused(DRAY_INVALID, "delay", "t", NULL, &(struct dray_new_job){.delay_ms = 1, .at_ms = 1});
    refused(DRAY_LIMIT, "delay", "t", NULL, &(struct dray_new_job){.delay_ms = UINT64_MAX});
    refused(DRAY_LIMIT, "timeout", "t", NULL, &(struct dray_new_job){.timeout_ms = UINT64_MAX});
    refused(DRAY_LIMIT, "time", "t", NULL, &(struct dray_new_job){.at_ms = -1});
    refused(DRAY_LIMIT, "time", "t", NULL, &(struct dray_new_job){.at_ms = INT64_MAX});
    refused(DRAY_INVALID, "priority", "t", NULL, &(struct dray_new_job){.priority = 11});
    refused(DRAY_INVALID, "priority", "t", NULL, &(struct dray_new_job){.priority = -1});
    refused(DRAY_INVALID, "flags", "t", NULL, &(struct dray_new_job){.flags = 1u << 31});
    assert_int_equal(dray_dispatch(NULL, "t", NULL, NULL, NULL, &rig_error), DRAY_INVALID);
}

static void test_wrong_payloads_are_refused(void **state)
{
    (void)state;
    refused(DRAY_INVALID, "JSON", "t", "", NULL);
    refused(DRAY_INVALID, "JSON", "t", "{", NULL);
    refused(DRAY_INVALID, "JSON", "t", "1 2", NULL);
    refused(DRAY_INVALID, "JSON", "t", "\"\xc3\"", NULL);
    char deep[80];
    memset(deep, '[', 33);
    memset(deep + 33, ']', 33);
    deep[66] = 0;
    refused(DRAY_INVALID, "JSON", "t", deep, NULL);
    size_t most = 1024 * 1024;
    char *large = malloc(most + 2);
    assert_non_null(large);
    memset(large, 'x', most + 1);
    large[0] = large[most] = '"';
    large[most + 1] = 0;
    refused(DRAY_LIMIT, "max_payload", "t", large, NULL);
    large[most - 1] = '"';
    large[most] = 0;
    assert_ok(dray_dispatch(rig, "t", large, NULL, NULL, &rig_error));
    free(large);
}

/* T2: an id that is there already. */
static void test_an_id_is_dispatched_once(void **state)
{
    struct dray_new_job one = {.id = "one"};
    struct dray_dispatched out;
    (void)state;
    assert_ok(dray_dispatch(rig, "t", "1", &one, &out, &rig_error));
    assert_int_equal(dray_dispatch(rig, "t", "1", &one, &out, &rig_error), DRAY_EXISTS);
    assert_int_equal(out.code, DRAY_EXISTS);
    assert_string_equal(out.id, "one");
    assert_int_equal(dray_dispatch(rig, "t", "2", &one, &out, &rig_error), DRAY_CONFLICT);
    assert_non_null(strstr(rig_error.text, "one"));
    assert_int_equal(dray_dispatch(rig, "u", "1", &one, NULL, NULL), DRAY_CONFLICT);
}

/* T3: one key, and the job that holds it is named. */
static void test_a_unique_key_is_held_once(void **state)
{
    struct dray_new_job first = {.id = "first", .unique = "key"};
    struct dray_new_job second = {.id = "second", .unique = "key"};
    struct dray_dispatched out;
    (void)state;
    assert_ok(dray_dispatch(rig, "t", NULL, &first, NULL, &rig_error));
    assert_int_equal(dray_dispatch(rig, "t", NULL, &second, &out, &rig_error), DRAY_DUPLICATE);
    assert_string_equal(out.id, "first");
    assert_non_null(strstr(rig_error.text, "first"));
    assert_ok(dray_remove(rig, NULL, "first", 0, &rig_error));
    assert_ok(dray_dispatch(rig, "t", NULL, &second, NULL, &rig_error));
}

static void test_unique_by_payload_ignores_order_and_space(void **state)
{
    struct dray_new_job unique = {.flags = DRAY_UNIQUE};
    (void)state;
    assert_ok(dray_dispatch(rig, "t", "{\"a\":1,\"b\":[2,3]}", &unique, NULL, &rig_error));
    assert_int_equal(
        dray_dispatch(rig, "t", "{ \"b\": [2, 3], \"\\u0061\": 1 }", &unique, NULL, NULL),
        DRAY_DUPLICATE);
    assert_ok(dray_dispatch(rig, "t", "{\"a\":1,\"b\":[3,2]}", &unique, NULL, &rig_error));
    assert_ok(dray_dispatch(rig, "u", "{\"a\":1,\"b\":[2,3]}", &unique, NULL, &rig_error));
}

/* T1: a batch is stored whole or not at all, and each member is answered. */
static void test_a_batch_is_all_or_none(void **state)
{
    struct dray_dispatched out[4];
    (void)state;
    rig_push_as("t", "1", &(struct dray_new_job){.id = "there"});
    rig_push_as("t", "1", &(struct dray_new_job){.id = "holder", .unique = "key"});
    struct dray_new_job jobs[4] = {
        {.type = "t", .payload = "1", .id = "new"},
        {.type = "t", .payload = "1", .id = "there"},
        {.type = "t", .payload = "2", .id = "third", .unique = "key"},
        {.type = "t", .payload = "2", .id = "there"},
    };
    assert_int_equal(dray_dispatch_batch(rig, jobs, 4, out, &rig_error), DRAY_DUPLICATE);
    assert_int_equal(out[1].code, DRAY_EXISTS);
    assert_int_equal(out[2].code, DRAY_DUPLICATE);
    assert_string_equal(out[2].id, "holder");
    assert_int_equal(out[3].code, DRAY_CONFLICT);
    assert_non_null(strstr(rig_error.text, "job 2 of the batch"));
    assert_string_equal(rig_state("new"), "gone");
    assert_ok(dray_dispatch_batch(rig, jobs, 2, out, &rig_error));
    assert_int_equal(out[0].code, DRAY_OK);
    assert_int_equal(out[1].code, DRAY_EXISTS);
    assert_string_equal(rig_state("new"), "ready");
}

static void test_a_wrong_batch_is_refused(void **state)
{
    struct dray_dispatched out[2];
    (void)state;
    struct dray_new_job queues[2] = {{.type = "t", .id = "a"}, {.type = "t", .queue = "other"}};
    assert_int_equal(dray_dispatch_batch(rig, queues, 2, out, &rig_error), DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "job 1 of the batch"));
    assert_ok(out[0].code);
    assert_int_equal(out[1].code, DRAY_INVALID);
    struct dray_new_job types[2] = {{.type = "t", .id = "a"}, {.type = "no good"}};
    assert_int_equal(dray_dispatch_batch(rig, types, 2, out, &rig_error), DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "job 1 of the batch"));
    assert_string_equal(rig_state("a"), "gone");
    assert_ok(dray_dispatch_batch(rig, NULL, 0, NULL, &rig_error));
    assert_int_equal(dray_dispatch_batch(rig, types, SIZE_MAX / 1024, NULL, NULL), DRAY_LIMIT);
}

static void test_a_large_batch_keeps_its_order(void **state)
{
    enum { N = 500 };
    static struct dray_new_job jobs[N];
    static char ids[N][16];
    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "job-%d", i);
        jobs[i] = (struct dray_new_job){.type = "t", .id = ids[i]};
    }
    assert_ok(dray_dispatch_batch(rig, jobs, N, NULL, &rig_error));
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    struct dray_worker_options options = {
        .concurrency = 1, .flags = DRAY_WORK_UNTIL_EMPTY, .callbacks = rig_callbacks()};
    assert_ok(dray_work(rig, &options, NULL, &rig_error));
    assert_int_equal(rig_saw(SAW_COMPLETE), N);
    for (unsigned i = 0; i < N; i++)
        assert_string_equal(rig_event(SAW_JOB_START, i).id, ids[i]); /* O1 */
}

/* A driver without a capability is not asked for it. */
static void test_what_the_driver_lacks_is_refused(void **state)
{
    (void)state;
    assert_int_equal(dray_dispatch(rig, "t", NULL,
                         &(struct dray_new_job){.priority = DRAY_PRIORITY(1)}, NULL, &rig_error),
        DRAY_UNSUPPORTED);
    assert_non_null(strstr(rig_error.text, "bare"));
    assert_int_equal(
        dray_dispatch(rig, "t", NULL, &(struct dray_new_job){.unique = "k"}, NULL, &rig_error),
        DRAY_UNSUPPORTED);
    struct dray_new_job two[2] = {{.type = "t"}, {.type = "t"}};
    struct dray_dispatched out[2] = {{.code = 99}, {.code = 99}};
    assert_int_equal(dray_dispatch_batch(rig, two, 2, out, &rig_error), DRAY_LIMIT);
    assert_int_equal(out[0].code, DRAY_LIMIT); /* no job's own fault */
    assert_int_equal(out[1].code, DRAY_LIMIT);
    assert_ok(dray_dispatch(rig, "t", NULL, NULL, NULL, &rig_error));
}

static int open_bare(void **state)
{
    (void)state;
    rig_open("bare", 0, NULL);
    return 0;
}

/* ---- many dispatchers ---- */

enum { THREADS = 8, EACH = 200, CROWD = 16, BIG_CROWD = TURN_MAX + 44 };

static void *dispatch_many(void *arg)
{
    unsigned *n = arg;
    for (unsigned i = 0; i < EACH; i++)
        *n += dray_dispatch(rig, "t", "[1]", NULL, NULL, NULL) == DRAY_OK;
    return NULL;
}

static void dispatch_at_once(unsigned threads, void *(*fn)(void *), unsigned *stored)
{
    pthread_t thread[THREADS];
    static unsigned n[THREADS];
    *stored = 0;
    for (unsigned i = 0; i < threads; i++) {
        n[i] = 0;
        assert_int_equal(pthread_create(&thread[i], NULL, fn, &n[i]), 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        *stored += n[i];
    }
}

static uint64_t count_ready(void)
{
    struct dray_stats *stats = NULL;
    assert_ok(dray_get_stats(rig, "default", &stats, &rig_error));
    uint64_t ready = stats->queues[0].ready;
    dray_stats_free(stats);
    return ready;
}

static void test_threads_dispatch_at_once(void **state)
{
    unsigned stored;
    (void)state;
    dispatch_at_once(THREADS, dispatch_many, &stored);
    assert_int_equal(stored, THREADS * EACH);
    assert_int_equal(count_ready(), THREADS * EACH);
}

static void *dispatch_one(void *arg)
{
    unsigned *n = arg;
    *n = dray_dispatch(rig, "t", NULL, NULL, NULL, NULL) == DRAY_OK;
    return NULL;
}

/* The turns that it takes to push what `crowd` threads dispatch while a turn is under way. */
static unsigned turns_of_a_crowd(unsigned crowd)
{
    pthread_t first;
    static pthread_t others[BIG_CROWD];
    static unsigned each[BIG_CROWD];
    unsigned done = 0;
    script_hold(SCRIPT_PUSH);
    assert_int_equal(pthread_create(&first, NULL, dispatch_one, &done), 0);
    script_wait(SCRIPT_PUSH);
    for (unsigned i = 0; i < crowd; i++)
        assert_int_equal(pthread_create(&others[i], NULL, dispatch_one, &each[i]), 0);
    rig_wait_for_groups(crowd);
    unsigned before = script_turns();
    script_go(SCRIPT_PUSH);
    pthread_join(first, NULL);
    for (unsigned i = 0; i < crowd; i++) {
        pthread_join(others[i], NULL);
        done += each[i];
    }
    assert_int_equal(done, crowd + 1);
    assert_int_equal(count_ready(), crowd + 1);
    return script_turns() - before;
}

/* Groups that gather while a turn is under way share the next one. */
static void test_dispatchers_share_a_turn(void **state)
{
    (void)state;
    assert_int_equal(turns_of_a_crowd(CROWD), 1);
}

/* As many as a turn takes. */
static void test_more_groups_than_a_turn_takes(void **state)
{
    (void)state;
    assert_int_equal(turns_of_a_crowd(BIG_CROWD), 2);
}

/* One caller's refusal never touches another's (T1). */
static void test_a_refusal_is_its_own(void **state)
{
    pthread_t first, second;
    unsigned one = 0, two = 0;
    (void)state;
    script_hold(SCRIPT_PUSH);
    pthread_create(&first, NULL, dispatch_one, &one);
    script_wait(SCRIPT_PUSH);
    pthread_create(&second, NULL, dispatch_one, &two);
    rig_wait_for_groups(1);
    script_say(SCRIPT_PUSH, DRAY_FULL, 1, 0);
    script_go(SCRIPT_PUSH);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_int_equal(one, 0);
    assert_int_equal(two, 1);
}

/* ---- answers of the store ---- */

/* R2: certainly not done, and said so at once. */
static void test_not_done_is_returned(void **state)
{
    static const int codes[] = {
        DRAY_BUSY, DRAY_FULL, DRAY_UNREACHABLE, DRAY_NOMEM, DRAY_DENIED, DRAY_IO, DRAY_POISONED};
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct dray_dispatched out;
        script_say(SCRIPT_PUSH, codes[i], 1, 0);
        assert_int_equal(dray_dispatch(rig, "t", NULL, NULL, &out, &rig_error), codes[i]);
        assert_int_equal(out.code, codes[i]);
        assert_non_null(strstr(rig_error.text, "the script says"));
    }
    assert_int_equal(script_count(SCRIPT_PUSH), 7);
    assert_int_equal(count_ready(), 0);
}

/* U1: sent again under the same id; it had landed, so there is one job. */
static void test_a_lost_answer_is_asked_for_again(void **state)
{
    struct dray_dispatched out;
    (void)state;
    script_say(SCRIPT_PUSH, DRAY_UNKNOWN, 1, 1);
    int code = dray_dispatch(rig, "t", NULL, NULL, &out, &rig_error);
    assert_true(code == DRAY_OK || code == DRAY_EXISTS);
    assert_int_equal(script_resends(), 1);
    assert_int_equal(count_ready(), 1);
}

/* U1: once a try may have landed, no later "not done" takes that back. */
static void test_unsure_stays_unsure(void **state)
{
    (void)state;
    script_say(SCRIPT_PUSH, DRAY_UNKNOWN, 1, 1);
    script_say(SCRIPT_PUSH, DRAY_BUSY, 2, 0);
    int code = dray_dispatch(rig, "t", NULL, NULL, NULL, &rig_error);
    assert_true(code == DRAY_OK || code == DRAY_EXISTS);
    assert_int_equal(script_count(SCRIPT_PUSH), 4);
    assert_int_equal(script_resends(), 3);
    assert_int_equal(count_ready(), 1);
}

/* U1: for at most ten seconds. */
static void test_unknown_is_returned_in_the_end(void **state)
{
    struct dray_dispatched out;
    (void)state;
    struct watch watch = watch_start();
    script_say(SCRIPT_PUSH, DRAY_UNKNOWN, -1, 0);
    assert_int_equal(
        dray_dispatch(rig, "t", NULL, &(struct dray_new_job){.id = "me"}, &out, &rig_error),
        DRAY_UNKNOWN);
    int64_t took = rig_real_ms() - watch.started_ms;
    assert_string_equal(out.id, "me");
    assert_true(took > 8000 && watch_ms(&watch) < 12000);
}

static int open_bounded(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.limits.capacity", "3", NULL);
    return 0;
}

static int dispatch_as(const char *id, const char *queue)
{
    const struct dray_new_job more = {.id = id, .queue = queue};
    return dray_dispatch(rig, "t", NULL, &more, NULL, &rig_error);
}

static void test_a_queue_has_its_limit(void **state)
{
    const struct dray_new_job two[] = {{.type = "t", .id = "c"}, {.type = "t", .id = "d"}};
    const struct dray_job_info moved = {
        .id = "moved", .queue = "default", .type = "t", .state = "ready", .payload = "1"};
    struct dray_dispatched out[2];
    (void)state;
    assert_int_equal(dispatch_as("a", NULL), DRAY_OK);
    assert_int_equal(dispatch_as("b", NULL), DRAY_OK);
    assert_int_equal(dray_dispatch_batch(rig, two, 2, out, &rig_error), DRAY_FULL);
    assert_int_equal(out[0].code, DRAY_FULL);
    assert_string_equal(rig_state("c"), "gone");
    assert_int_equal(dispatch_as("c", NULL), DRAY_OK);
    assert_int_equal(dispatch_as("d", NULL), DRAY_FULL);
    assert_int_equal(dispatch_as("a", NULL), DRAY_EXISTS);
    assert_int_equal(dispatch_as("d", "other"), DRAY_OK);
    /* What has ended makes room, what is brought from elsewhere needs none. */
    assert_int_equal(dray_cancel(rig, NULL, "a", &rig_error), DRAY_OK);
    assert_int_equal(dispatch_as("e", NULL), DRAY_OK);
    assert_int_equal(dray_restore(rig, &moved, 1, 0, NULL, &rig_error), DRAY_OK);
    assert_string_equal(rig_state("moved"), "ready");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_field_is_stored, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(
            test_what_is_not_given_has_a_default, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_wrong_arguments_are_refused, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_wrong_payloads_are_refused, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_an_id_is_dispatched_once, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_a_unique_key_is_held_once, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(
            test_unique_by_payload_ignores_order_and_space, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_a_batch_is_all_or_none, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_a_wrong_batch_is_refused, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_a_large_batch_keeps_its_order, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_a_queue_has_its_limit, open_bounded, rig_close),
        cmocka_unit_test_setup_teardown(
            test_what_the_driver_lacks_is_refused, open_bare, rig_close),
        cmocka_unit_test_setup_teardown(test_threads_dispatch_at_once, open_memory, rig_close),
        cmocka_unit_test_setup_teardown(test_threads_dispatch_at_once, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_dispatchers_share_a_turn, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_more_groups_than_a_turn_takes, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_its_own, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_not_done_is_returned, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(
            test_a_lost_answer_is_asked_for_again, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_unsure_stays_unsure, open_slow, rig_close),
        cmocka_unit_test_setup_teardown(test_unknown_is_returned_in_the_end, open_slow, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
