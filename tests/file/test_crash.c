/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a loss of power, or of the process, can leave at any moment of a history: every change that
 * a sync covers is there; of the others all, none, or some, sector by sector; the last write torn
 * at any byte. Each such disk is opened, and must hold what was acknowledged and, of the step under
 * way, all or nothing. X2, X4, D2, D5, T1. Then the same for crashes of that opening.
 */
#include "disk.h"
#include "history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 40

struct crash_test {
    struct disk_log log;
    struct model models[STEPS + 1]; /* after so many steps */
    uint64_t seed;
    unsigned states, nested;
    unsigned midway; /* steps after which a new file was begun and not done */
};

static struct rig rig;

static void set_up(uint32_t durability)
{
    rig_init(&rig);
    rig.max_file_size = 4096; /* written anew several times on the way */
    rig.max_backups = 2;
    rig.durability = durability;
}

static void play(struct crash_test *test, uint32_t durability)
{
    struct history history;
    size_t len;
    disk_new();
    set_up(durability);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    history_begin(&history, &rig, test->seed);
    for (int step = 0; step < STEPS; step++) {
        test->models[step] = history.model;
        disk_mark(step);
        int32_t code = history_step(&history);
        if (code >= 32)
            fail_msg("step %d: %s", step, rig.error.text);
        test->midway += disk_read(RIG_PATH ".new", &len) != NULL;
    }
    test->models[STEPS] = history.model;
    disk_mark(STEPS);
    test->log = disk_take_changes();
    rig_close(&rig);
    assert_int_equal(rig.blocks, 0);
}

/* How many steps were acknowledged before the change `n`; -1: the store was not open yet. */
static int64_t acknowledged(const struct disk_log *log, size_t n)
{
    int64_t steps = -1;
    for (size_t i = 0; i < n; i++) {
        if (log->at[i].what == DISK_MARK)
            steps = log->at[i].at;
    }
    return steps;
}

static void recover(struct crash_test *test, const struct disk_crash *crash, int64_t steps)
{
    char before[256] = "", after[256] = "";
    set_up(0);
    rig.boot_id = "second boot";
    if (rig_open(&rig) != DRAY_OK)
        fail_msg("seed %llu, after change %zu, crash %llu, torn at %lld: %s",
            (unsigned long long)test->seed, crash->n, (unsigned long long)crash->seed,
            (long long)crash->torn, rig.error.text);
    const struct model *had = &test->models[steps < 0 ? 0 : steps];
    const struct model *has = &test->models[steps < 0 ? 0 : steps < STEPS ? steps + 1 : STEPS];
    if (!model_agrees(had, &rig, before, sizeof(before)) &&
        !model_agrees(has, &rig, after, sizeof(after)))
        fail_msg("seed %llu, after change %zu, crash %llu, torn at %lld, step %lld: %s; or: %s",
            (unsigned long long)test->seed, crash->n, (unsigned long long)crash->seed,
            (long long)crash->torn, (long long)steps, before, after);
    test->states++;
}

/* The opening was cut short, too. */
static void recover_again(struct crash_test *test, const struct disk_crash *first, int64_t steps)
{
    disk_load(NULL, &test->log, first);
    struct disk_image *image = disk_save();
    recover(test, first, steps);
    assert_int_equal(rig_take(&rig, 1, 1000), DRAY_OK);
    rig_close(&rig);
    struct disk_log log = disk_take_changes();
    for (size_t n = 0; n <= log.n; n++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct disk_crash crash = {n, seed, -1};
            disk_load(image, &log, &crash);
            recover(test, first, steps);
            rig_close(&rig);
            test->nested++;
        }
    }
    disk_log_free(&log);
    disk_image_free(image);
}

static void try(struct crash_test *test, const struct disk_crash *crash, int64_t steps)
{
    disk_load(NULL, &test->log, crash);
    recover(test, crash, steps);
    /* And it works: what is pushed now is there after the next opening. */
    if (test->states % 16 == 0) {
        assert_int_equal(rig_push(&rig, "new", "1", 0, NULL), DRAY_OK);
        rig_close(&rig);
        assert_int_equal(rig_open(&rig), DRAY_OK);
        assert_int_equal(rig_list(&rig), DRAY_OK);
        assert_non_null(rig_find(&rig, "new"));
    }
    rig_close(&rig);
    assert_int_equal(rig.blocks, 0);
    if (test->states % 97 == 0)
        recover_again(test, crash, steps);
}

static void crash_everywhere(struct crash_test *test, uint64_t variants, unsigned torn_step)
{
    for (size_t n = 1; n <= test->log.n; n++) {
        int64_t steps = acknowledged(&test->log, n);
        for (uint64_t seed = 0; seed < variants; seed++)
            try(test, &(struct disk_crash){n, seed, -1}, steps);
        const struct disk_change *last = &test->log.at[n - 1];
        for (size_t at = 0; last->what == DISK_WRITE && at < last->len; at += torn_step)
            try(test, &(struct disk_crash){n, 0, (int64_t)at}, steps);
    }
}

static void power_is_lost(void **state)
{
    (void)state;
    unsigned rounds = rig_amount(2, 2, 40), variants = rig_amount(2, 8, 24);
    struct crash_test test = {.seed = 1};
    for (unsigned round = 0; round < rounds; round++, test.seed++) {
        play(&test, 0);
        crash_everywhere(&test, variants, round ? rig_amount(9, 7, 1) : rig_amount(9, 1, 1));
        disk_log_free(&test.log);
    }
    printf("%u states recovered, %u of them from crashes of a recovery; a new file was under way "
           "after %u "
           "steps\n",
        test.states, test.nested, test.midway);
    assert_true(test.nested > 100);
    assert_true(test.midway > 5);
}

/* Whatever the process wrote is there: with `process`, too, that is enough. */
static void process_is_killed(void **state)
{
    (void)state;
    struct crash_test test = {.seed = 99};
    play(&test, DRAY_DURABILITY_PROCESS);
    crash_everywhere(&test, 1, 3);
    disk_log_free(&test.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_lost),
        cmocka_unit_test(process_is_killed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disk_free();
    return failed;
}
