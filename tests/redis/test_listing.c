/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue whose ids alone take longer to ask for than a call may: it is listed and checked all the
 * same, a part a call, and what comes and goes meanwhile harms nothing.
 */
#include "dray/tend.h"
#include "redis/redis_server.h"
#include "redis/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOBS 12000u /* more than the server is asked for at once */
#define BATCH 1000u
#define CALL_MS 400 /* some sixty questions at SLOW_MS each take longer */
#define SLOW_MS 10

static struct server server;
static struct rig rig;
static int slow;
static unsigned seen[JOBS + 3], calls, empty;
static int last; /* that was shown */

/* The driver asks for the time before each question, which makes each a slow one. */
static int64_t clock_of_a_slow_server(void)
{
    struct timespec now, pause = {.tv_nsec = SLOW_MS * 1000000};
    if (slow)
        nanosleep(&pause, NULL);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

static void push(const char *queue, unsigned from, unsigned n, uint64_t delay_ms)
{
    static char ids[BATCH][16];
    static struct dray_job jobs[BATCH];
    static const struct dray_job *list[BATCH];
    static int32_t answers[BATCH];
    for (unsigned i = 0; i < n; i++) {
        snprintf(ids[i], sizeof(ids[i]), "job-%06u", from + i);
        jobs[i] = (struct dray_job){.size = sizeof(jobs[i]),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = str(ids[i]),
            .queue = str(queue),
            .type = str("t"),
            .delay_ms = delay_ms,
            .payload = str("1")};
        list[i] = &jobs[i];
        answers[i] = DRAY_OK;
    }
    struct dray_push group = {
        .size = sizeof(group), .queue = str(queue), .jobs = list, .answers = answers, .njobs = n};
    if (rig.driver->push(rig.self, rig_call(&rig), &group) != DRAY_OK)
        fail_msg("push: %s", rig.error.text);
}

static void see(struct dray_call *call, const struct dray_job *job)
{
    char text[DRAY_NAME_MAX + 1];
    (void)call;
    snprintf(text, sizeof(text), "%.*s", (int)job->id.len, job->id.data);
    unsigned number = (unsigned)strtoul(text + 4, NULL, 10);
    assert_true(number < JOBS + 3);
    assert_true((int)number > last);
    last = (int)number;
    seen[number]++;
}

/* One page; `filter` goes on from the one before. How many jobs it showed. */
static unsigned list_page(struct dray_filter *filter)
{
    int before = last;
    unsigned n = 0;
    struct dray_call *call = rig_call(&rig);
    call->job = see;
    filter->max = BATCH;
    int32_t code = rig.driver->list(rig.self, call, filter);
    if (code != DRAY_OK)
        fail_msg("call %u of the listing: %s", calls, rig.error.text);
    for (int i = before + 1; i <= last; i++)
        n += seen[i];
    calls++;
    empty += n == 0;
    return n;
}

static void begin_listing(void)
{
    memset(seen, 0, sizeof(seen));
    calls = empty = 0;
    last = -1;
}

static int open_server(void **state)
{
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open_timed(&rig, server.socket, clock_of_a_slow_server), DRAY_OK);
    for (unsigned i = 0; i < JOBS; i += BATCH)
        push("q", i, BATCH, 0);
    begin_listing();
    return 0;
}

static int open_empty_server(void **state)
{
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    return 0;
}

static int close_server(void **state)
{
    (void)state;
    slow = 0;
    rig_close(&rig);
    server_remove(&server);
    return 0;
}

static void test_a_long_listing(void **state)
{
    struct dray_filter filter = {.size = sizeof(filter), .queue = str("q")};
    (void)state;
    slow = 1;
    rig.budget_ms = CALL_MS;
    list_page(&filter);
    assert_int_equal(empty, 1);
    assert_true(filter.cursor[0] != 0);
    slow = 0; /* the jobs themselves need not take as long */
    while (filter.cursor[0] || filter.cursor[1])
        list_page(&filter);
    assert_true(empty >= 1 && calls > empty);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(seen[i], 1);
}

/* A job that goes while ids are gathered is not shown, or shown as it was; all others are. */
static void test_jobs_that_go_meanwhile(void **state)
{
    struct dray_filter filter = {.size = sizeof(filter), .queue = str("q")};
    struct dray_str ids[] = {str("job-000000"), str("job-006000"), str("job-011999")};
    int32_t answers[] = {DRAY_OK, DRAY_OK, DRAY_OK};
    struct dray_change change = {.size = sizeof(change),
        .what = DRAY_CHANGE_REMOVE,
        .nids = 3,
        .queue = str("q"),
        .ids = ids,
        .answers = answers};
    unsigned n = 0;
    (void)state;
    slow = 1;
    rig.budget_ms = CALL_MS;
    list_page(&filter);
    assert_int_equal(empty, 1);
    slow = 0;
    assert_int_equal(rig.driver->change(rig.self, rig_call(&rig), &change), DRAY_OK);
    while (filter.cursor[0] || filter.cursor[1])
        list_page(&filter);
    for (unsigned i = 0; i < JOBS; i++)
        n += seen[i];
    assert_int_equal(n, JOBS - 3);
}

/* What is only in sets need not be looked for among all jobs. */
static void test_a_few_of_many(void **state)
{
    struct dray_filter filter = {
        .size = sizeof(filter), .states = 1u << DRAY_STATE_DELAYED, .queue = str("q")};
    (void)state;
    push("q", JOBS, 3, 3600000);
    slow = 1;
    rig.budget_ms = CALL_MS;
    assert_int_equal(list_page(&filter), 3);
    assert_int_equal(filter.cursor[0], 0);
    filter.states |= 1u << DRAY_STATE_DEAD;
    begin_listing();
    assert_int_equal(list_page(&filter), 3);
    assert_int_equal(filter.cursor[0], 0);
    filter.states |= 1u << DRAY_STATE_READY;
    begin_listing();
    assert_int_equal(list_page(&filter), 0);
    assert_true(filter.cursor[0] != 0);
}

static void test_a_long_set(void **state)
{
    struct dray_filter filter = {
        .size = sizeof(filter), .states = 1u << DRAY_STATE_DELAYED, .queue = str("later")};
    (void)state;
    for (unsigned i = 0; i < JOBS; i += BATCH)
        push("later", i, BATCH, 3600000);
    rig.budget_ms = CALL_MS;
    do {
        list_page(&filter);
    } while (filter.cursor[0] || filter.cursor[1]);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(seen[i], 1);
}

static void settle(uint32_t shown, uint32_t verdict, uint32_t flags)
{
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = verdict,
        .flags = flags,
        .queue = str("q"),
        .id = str(rig.shown[shown].id),
        .type = str("t"),
        .token = rig.shown[shown].token,
        .delay_ms = verdict == DRAY_VERDICT_BURY ? 0 : 3600000};
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    int32_t code = (verdict == DRAY_VERDICT_DONE ? rig.driver->ack : rig.driver->retry)(
        rig.self, rig_call(&rig), leases, &answer, 1);
    assert_int_equal(code, DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
}

/* Each state is kept in a place of its own, or in several. */
static void test_states(void **state)
{
    static const struct {
        uint32_t states;
        const char *shown;
    } cases[] = {{0, "0123456"}, {1u << DRAY_STATE_READY, "5"}, {1u << DRAY_STATE_ACTIVE, "4"},
        {1u << DRAY_STATE_DELAYED, "016"}, {1u << DRAY_STATE_DEAD, "2"},
        {1u << DRAY_STATE_DONE, "3"}, {1u << DRAY_STATE_DEAD | 1u << DRAY_STATE_DONE, "23"},
        {1u << DRAY_STATE_DEAD | 1u << DRAY_STATE_DELAYED, "0126"},
        {1u << DRAY_STATE_DEAD | 1u << DRAY_STATE_READY, "25"}};
    (void)state;
    push("q", 0, 6, 0);
    push("q", 6, 1, 3600000);
    assert_int_equal(rig_reserve(&rig, 5, 0, 0), DRAY_OK);
    settle(0, DRAY_VERDICT_AGAIN, 0);
    settle(1, DRAY_VERDICT_RELEASE, 0);
    settle(2, DRAY_VERDICT_BURY, 0);
    settle(3, DRAY_VERDICT_DONE, DRAY_LEASE_KEEP);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dray_filter filter = {
            .size = sizeof(filter), .states = cases[i].states, .queue = str("q")};
        char shown[8] = "";
        begin_listing();
        do {
            list_page(&filter);
        } while (filter.cursor[0] || filter.cursor[1]);
        for (unsigned k = 0, n = 0; k < 7; k++) {
            if (seen[k])
                shown[n++] = (char)('0' + k);
        }
        assert_string_equal(shown, cases[i].shown);
    }
}

/* The check has more time than one question. */
static void test_a_long_check(void **state)
{
    struct dray_tend tend = {.size = sizeof(tend), .what = DRAY_TEND_CHECK};
    (void)state;
    slow = 1;
    rig.timeout_ms = CALL_MS;
    rig.budget_ms = 60000;
    if (rig.driver->tend(rig.self, rig_call(&rig), &tend) != DRAY_OK)
        fail_msg("check: %s", rig.error.text);
    assert_int_equal(tend.records, JOBS);
    assert_int_equal(tend.damaged, 0);
    rig.budget_ms = CALL_MS;
    assert_int_equal(rig.driver->tend(rig.self, rig_call(&rig), &tend), DRAY_BUSY);
    assert_non_null(strstr(rig.error.text, "too many jobs to check in this time"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_listing, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_jobs_that_go_meanwhile, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_states, open_empty_server, close_server),
        cmocka_unit_test_setup_teardown(test_a_few_of_many, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_a_long_set, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_a_long_check, open_server, close_server),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
