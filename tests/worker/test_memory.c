/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of the core, and of the memory driver through it, fails once: opening, looking,
 * dispatching and working say so in one line or do without, nothing is left half done, and nothing
 * is lost of what was allocated. The linker leads the calls here; those of other libraries stay as
 * they are.
 */
#include "dray/dray.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NEVER (1L << 60)
#define PATIENCE_MS 20000

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static atomic_long calls_left = NEVER; /* until one fails */

static int fails(void)
{
    return atomic_fetch_sub(&calls_left, 1) == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

/* ---- what is done with one allocation less ---- */

static const char yaml[] = "queue:\n"
                           "  driver: memory\n"
                           "  worker: {concurrency: 2, queues: [default, mail]}\n"
                           "handlers:\n"
                           "  command: {command: [\"true\"], options: {a: [1, b]}}\n";

static atomic_int left_out; /* callbacks that found no memory, which the log says */

static void take_line(void *user, int level, const char *line)
{
    (void)user;
    (void)level;
    if (strstr(line, "a callback was left out"))
        atomic_fetch_add(&left_out, 1);
}

/* Nothing but "out of memory", in one line, may come of it. */
static int said(int code, const struct dray_error *error)
{
    if (code == DRAY_OK)
        return 1;
    if (code != DRAY_NOMEM || !error->text[0] || strchr(error->text, '\n'))
        fail_msg("%s: %s", dray_code_name(code), error->text);
    return 0;
}

static struct dray *open_it(struct dray_error *error)
{
    struct dray *dray = NULL;
    struct dray_options options = {
        .yaml = yaml, .folder = "/tmp", .log = take_line, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    return said(dray_open(&dray, &options, error), error) ? dray : NULL;
}

static int done(struct dray_attempt *attempt, void *user)
{
    (void)user;
    dray_attempt_progress(attempt, "half");
    dray_attempt_result(attempt, "{\"a\": 1}");
    return DRAY_OK;
}

static void count_complete(const struct dray_event *event, void *user)
{
    (void)event;
    atomic_fetch_add((atomic_int *)user, 1);
}

static void open_and_close(struct dray_error *error)
{
    assert_int_equal(dray_close(open_it(error)), DRAY_OK);
}

/* A job is there if and only if that was said. */
static void expect_jobs(struct dray *dray, uint64_t n)
{
    struct dray_stats *stats = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    long left = atomic_exchange(&calls_left, NEVER);
    assert_int_equal(dray_get_stats(dray, NULL, &stats, &error), DRAY_OK);
    assert_int_equal(stats->nqueues > 0 ? stats->queues[0].ready : 0, n);
    dray_stats_free(stats);
    atomic_store(&calls_left, left);
}

static void dispatch(struct dray_error *error)
{
    struct dray *dray = open_it(error);
    if (!dray)
        return;
    struct dray_new_job more = {.flags = DRAY_UNIQUE, .name = "one"};
    int stored = said(dray_dispatch(dray, "t", "{\"a\": [1, 2]}", &more, NULL, error), error);
    expect_jobs(dray, (uint64_t)stored);
    assert_int_equal(dray_close(dray), DRAY_OK);
}

static void dispatch_batch(struct dray_error *error)
{
    struct dray_new_job jobs[40];
    struct dray_dispatched out[40];
    struct dray *dray = open_it(error);
    if (!dray)
        return;
    for (int i = 0; i < 40; i++)
        jobs[i] = (struct dray_new_job){.type = "t", .payload = "1"};
    int stored = said(dray_dispatch_batch(dray, jobs, 40, out, error), error);
    expect_jobs(dray, stored ? 40 : 0);
    assert_int_equal(dray_close(dray), DRAY_OK);
}

static int forget(const struct dray_job_info *job, void *user)
{
    (void)job;
    ++*(int *)user;
    return 0;
}

static void look(struct dray_error *error)
{
    int shown = 0;
    struct dray_stats *stats = NULL;
    struct dray_job_info *job = NULL;
    struct dray_health health;
    struct dray *dray = open_it(error);
    if (!dray)
        return;
    struct dray_job_info was = {.id = "one",
        .queue = "default",
        .type = "t",
        .state = "dead",
        .payload = "1",
        .last_error = "gone",
        .ended_ms = 1000};
    if (said(dray_restore(dray, &was, 1, 0, NULL, error), error) &&
        said(dray_list(dray, NULL, forget, &shown, error), error))
        assert_int_equal(shown, 1);
    if (shown && said(dray_get(dray, NULL, "one", &job, error), error))
        assert_string_equal(job->last_error, "gone");
    dray_job_info_free(job);
    if (said(dray_get_stats(dray, NULL, &stats, error), error) && shown)
        assert_int_equal(stats->queues[0].dead, 1);
    dray_stats_free(stats);
    said(dray_check_health(dray, &health, error), error);
    if (shown)
        said(dray_kick(dray, NULL, "one", error), error);
    assert_int_equal(dray_close(dray), DRAY_OK);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Once started, a worker does every job, whatever fails on the way. */
static void work(struct dray_error *error)
{
    atomic_int completed = 0;
    atomic_store(&left_out, 0);
    struct dray *dray = open_it(error);
    if (!dray)
        return;
    struct dray_worker_options options = {
        .callbacks = {.on_job_complete = count_complete, .user = &completed}};
    int stored = 0;
    if (said(dray_on(dray, "t", done, NULL, NULL, error), error) &&
        said(dray_worker_start(dray, &options, error), error)) {
        for (int i = 0; i < 4; i++)
            stored += said(dray_dispatch(dray, "t", "[1]", NULL, NULL, error), error);
        int64_t end = now_ms() + PATIENCE_MS;
        struct dray_worker_state now = {0};
        while (now.succeeded < (uint64_t)stored && now_ms() < end) {
            nanosleep(&(struct timespec){0, 200000}, NULL);
            dray_worker_get_state(dray, &now);
        }
        struct dray_work_report report = {0};
        assert_int_equal(dray_worker_stop(dray, &report, error), DRAY_OK);
        assert_int_equal(report.succeeded, stored);
        assert_int_equal(atomic_load(&completed) + atomic_load(&left_out), stored);
    }
    assert_int_equal(dray_close(dray), DRAY_OK);
}

/* ---- one after the other ---- */

/* Runs `act` until it needs no allocation that has not failed once; more than `least` have. */
static void fail_each(void (*act)(struct dray_error *error), long least)
{
    struct dray_error error = DRAY_ERROR_INIT;
    act(&error); /* what is allocated once a process is there from here on */
    long k = 0;
    for (long left = -1; left < 0; k++) {
        atomic_store(&calls_left, k);
        act(&error);
        left = atomic_load(&calls_left);
    }
    atomic_store(&calls_left, NEVER);
    assert_true(k > least);
}

static void test_open(void **state)
{
    (void)state;
    fail_each(open_and_close, 80);
}

static void test_dispatch(void **state)
{
    (void)state;
    fail_each(dispatch, 90);
}

static void test_batch(void **state)
{
    (void)state;
    fail_each(dispatch_batch, 120);
}

static void test_look(void **state)
{
    (void)state;
    fail_each(look, 100);
}

static void test_work(void **state)
{
    (void)state;
    fail_each(work, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_dispatch),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
