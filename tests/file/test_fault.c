/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each system call of a history fails once, and from then on: EIO, ENOSPC, EDQUOT, EINTR, or it
 * does half of its work. An answer below 64 must mean what it says, an unsure one must leave the
 * old or the new state, a poisoned store must say so until it is opened again, and what was
 * acknowledged must be there in the end. R2, R3, R4, X3, D2.
 */
#include "disk.h"
#include "history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 30
#define MOST_CALLS 4000

static struct rig rig;
static struct history history;

struct fault_test {
    struct disk_plan plan;
    unsigned runs, unsure, refused;
    int hit;
};

static const char *name_of(const struct disk_plan *plan)
{
    static char text[96];
    snprintf(text, sizeof(text), "call %llu %s: %s", (unsigned long long)plan->first,
        plan->forever ? "and all later ones" : "once",
        plan->fault == DISK_SHORT ? "half of it" : strerror(plan->error));
    return text;
}

static void begin(uint64_t seed)
{
    disk_new();
    rig_init(&rig);
    rig.max_file_size = 4096;
    rig.max_backups = 1;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    history_begin(&history, &rig, seed);
}

/* The disk is well again, and the store opened anew: it must hold one of the two. */
static void open_again(struct fault_test *test)
{
    char why[256] = "", other[256] = "";
    rig_close(&rig);
    disk_plan(NULL);
    if (rig_open(&rig) != DRAY_OK)
        fail_msg("%s: does not open again: %s", name_of(&test->plan), rig.error.text);
    if (model_agrees(&history.model, &rig, why, sizeof(why)))
        return;
    if (!model_agrees(&history.other, &rig, other, sizeof(other)))
        fail_msg("%s: %s; or: %s", name_of(&test->plan), why, other);
    history.model = history.other;
}

/* Nothing more is changed, whatever is asked, until it is opened again. */
static void is_poisoned(void)
{
    assert_int_equal(rig_push(&rig, "later", "1", 0, NULL), DRAY_POISONED);
    assert_int_equal(rig_take(&rig, 1, 1000), DRAY_POISONED);
    assert_int_equal(rig_change(&rig, DRAY_CHANGE_PAUSE, NULL, 0), DRAY_POISONED);
}

static void one_step(struct fault_test *test)
{
    int32_t code = history_step(&history);
    if (code != DRAY_UNKNOWN)
        history.other = history.model;
    if (code < 32)
        return;
    if (!rig.error.text[0] || rig.error.code != code)
        fail_msg("%s: code %d, and the words are: %s", name_of(&test->plan), code, rig.error.text);
    test->refused += code < 64;
    test->unsure += code >= 64;
    test->hit |= code >= 64;
    if (code < 64)
        return;
    if (code != DRAY_UNKNOWN && code != DRAY_POISONED)
        fail_msg("%s: code %d: %s", name_of(&test->plan), code, rig.error.text);
    is_poisoned();
    open_again(test);
    assert_null(rig_find(&rig, "later"));
}

/* 1 if the plan has hit something. */
static int run(struct fault_test *test, uint64_t seed)
{
    char why[256] = "";
    test->hit = 0;
    begin(seed);
    disk_plan(&test->plan);
    for (int step = 0; step < STEPS; step++) {
        one_step(test);
        test->hit |= disk_hits();
    }
    /* In the same instance, once the disk is well. */
    disk_plan(NULL);
    if (!model_agrees(&history.model, &rig, why, sizeof(why)))
        fail_msg("%s: at the end: %s", name_of(&test->plan), why);
    open_again(test);
    rig_close(&rig);
    assert_int_equal(rig.blocks, 0);
    test->runs++;
    return test->hit;
}

static void each_call(struct fault_test *test, uint64_t seed)
{
    for (test->plan.first = 1; run(test, seed); test->plan.first++) {
        if (test->plan.first == MOST_CALLS)
            fail_msg("the history makes more than %d calls", MOST_CALLS);
    }
}

static void every_call_fails(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EINTR};
    struct fault_test test = {.runs = 0};
    for (uint64_t seed = 1, seeds = rig_amount(1, 2, 20); seed <= seeds; seed++) {
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
            test.plan = (struct disk_plan){.fault = DISK_FAIL, .error = errors[i]};
            each_call(&test, seed);
            /* A system that answers EINTR for ever is not of this world. */
            test.plan.forever = errors[i] != EINTR;
            if (test.plan.forever)
                each_call(&test, seed);
        }
        test.plan = (struct disk_plan){.fault = DISK_SHORT};
        each_call(&test, seed);
        test.plan.forever = 1;
        each_call(&test, seed);
    }
    printf("%u histories, %u steps refused, %u unsure\n", test.runs, test.refused, test.unsure);
    assert_true(test.refused > 100);
    assert_true(test.unsure > 20);
}

/* Short writes and interrupted calls are nobody's business. */
static void short_writes_are_gone_on_with(void **state)
{
    (void)state;
    struct fault_test test = {.plan = {.fault = DISK_SHORT, .first = 1, .forever = 1}};
    run(&test, 5);
    assert_int_equal(test.refused, 0);
    test.plan = (struct disk_plan){.fault = DISK_FAIL, .error = EINTR, .writes_only = 1};
    for (test.plan.first = 1; run(&test, 5); test.plan.first++)
        continue;
    assert_int_equal(test.unsure, 0);
}

/* X3: the file of a failed opening is as it was. */
static void read_error_is_no_damage(void **state)
{
    (void)state;
    struct fault_test test = {.plan = {.fault = DISK_FAIL, .error = EIO}};
    unsigned failed = 0;
    begin(3);
    for (int step = 0; step < STEPS; step++)
        one_step(&test);
    rig_close(&rig);
    size_t len, after;
    const char *bytes = disk_read(RIG_PATH, &len);
    char *copy = test_malloc(len);
    memcpy(copy, bytes, len);
    for (test.plan.first = 1; test.plan.first < 40; test.plan.first++) {
        disk_plan(&test.plan);
        int32_t code = rig_open(&rig);
        failed += code != DRAY_OK;
        if (code != DRAY_OK)
            assert_int_equal(code, DRAY_IO);
        rig_close(&rig);
        disk_plan(NULL);
        bytes = disk_read(RIG_PATH, &after);
        assert_int_equal(after, len);
        assert_memory_equal(bytes, copy, len);
    }
    test_free(copy);
    assert_true(failed > 3);
    open_again(&test);
    rig_close(&rig);
}

static void begin_full(int64_t max_file_size)
{
    disk_new();
    disk_forget();
    rig_init(&rig);
    rig.max_file_size = max_file_size;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    disk_limit(2 << 20);
}

static size_t file_size(void)
{
    size_t len = 0;
    disk_read(RIG_PATH, &len);
    return len;
}

static unsigned push_until(int32_t expected, unsigned most)
{
    unsigned pushed = 0;
    int32_t code = DRAY_OK;
    char id[16];
    while (code == DRAY_OK && pushed < most) {
        snprintf(id, sizeof(id), "j%u", pushed);
        code = rig_push(&rig, id, "{\"some\":\"payload that takes a little room\"}", 0, NULL);
        pushed += code == DRAY_OK;
    }
    assert_int_equal(code, expected);
    return pushed;
}

/* Takes and acks until there is nothing to take, or no room: *code. */
static unsigned work_off(int32_t *code)
{
    for (unsigned done = 0;; done++) {
        *code = rig_take(&rig, 1, 60000);
        if (*code != DRAY_OK || !rig.nseen)
            return done;
        struct seen job = rig.seen[0];
        assert_int_equal(rig_settle(&rig, &job, DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_OK);
    }
}

/* A full disk: no more jobs; for a while what there is can be worked off; no outcome is refused;
   and with room again all goes on. */
static void full_disk_takes_outcomes(void **state)
{
    (void)state;
    int32_t code;
    begin_full(65536);
    unsigned pushed = push_until(DRAY_FULL, UINT32_MAX);
    assert_true(pushed > 1000);
    unsigned done = work_off(&code);
    assert_int_equal(code, DRAY_FULL);
    assert_true(done > 200);
    disk_limit(0);
    done += work_off(&code);
    assert_int_equal(code, DRAY_OK);
    assert_int_equal(done, pushed);
    assert_int_equal(push_until(DRAY_OK, 1), 1);
    rig_close(&rig);
}

/* Thousands of jobs are out when the last byte of the disk goes: each outcome is taken, whether it
   was renewed meanwhile or not; and when the last is in, the file makes room for itself. */
static void full_disk_takes_each_outcome(void **state)
{
    (void)state;
    static struct seen out[5000];
    static char payload[500];
    char prefix[8];
    unsigned renewed = 0;
    memset(payload, 'x', sizeof(payload) - 1);
    payload[0] = payload[sizeof(payload) - 2] = '"';
    begin_full(64 << 20);
    disk_limit(0);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(prefix, sizeof(prefix), "p%u.", i);
        assert_int_equal(rig_push_group(&rig, prefix, 1000, payload), DRAY_OK);
        assert_int_equal(rig_take(&rig, 1000, 60000), DRAY_OK);
        assert_int_equal(rig.nseen, 1000);
        memcpy(&out[(size_t)i * 1000], rig.seen, 1000 * sizeof(out[0]));
    }
    disk_limit(disk_used());
    push_until(DRAY_FULL, UINT32_MAX);
    int32_t code = DRAY_OK;
    for (size_t i = 0; i < 50000 && code == DRAY_OK; i++, renewed++) {
        rig_advance(&rig, 1);
        code = rig_extend(&rig, &out[i % 5000], 60000);
    }
    assert_int_equal(code, DRAY_FULL);
    for (size_t i = 0; i < 5000; i++) {
        uint32_t verdict = i % 10 ? DRAY_VERDICT_DONE : DRAY_VERDICT_BURY;
        code = rig_settle(&rig, &out[i], verdict, 0, i % 10 ? NULL : "it failed", 0);
        if (code != DRAY_OK)
            fail_msg("after %u renewals, outcome %zu: %s", renewed, i, rig.error.text);
    }
    assert_int_equal(rig_stats(&rig), DRAY_OK);
    assert_int_equal(rig.row.active, 0);
    assert_int_equal(rig.row.dead, 500);
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    assert_int_equal(rig_push(&rig, "next", "1", 0, NULL), DRAY_OK);
    rig_close(&rig);
}

/* Little lives in a large file: that is written anew in the room of the reserve, again and again,
   and work goes on for ever, though the file may become much larger than the disk. */
static void full_disk_is_tidied(void **state)
{
    (void)state;
    int32_t code;
    begin_full(64 << 20);
    size_t most = 0;
    for (unsigned round = 0; round < 200; round++) {
        assert_int_equal(push_until(DRAY_OK, 100), 100);
        assert_int_equal(work_off(&code), 100);
        most = file_size() > most ? file_size() : most;
    }
    assert_true(most > 500000);
    assert_true(disk_used() <= 2 << 20);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails),
        cmocka_unit_test(short_writes_are_gone_on_with),
        cmocka_unit_test(read_error_is_no_damage),
        cmocka_unit_test(full_disk_takes_outcomes),
        cmocka_unit_test(full_disk_takes_each_outcome),
        cmocka_unit_test(full_disk_is_tidied),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disk_free();
    return failed;
}
