/* SPDX-License-Identifier: Apache-2.0 */
/* What sqlite does that the conformance tests do not look at: large payloads, clocks and boots,
   repair, counts. */
#include "scratch.h"
#include "sqlite/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

static char folder[SCRATCH_SIZE];
static struct rig rig;

static int set_up(void **state)
{
    char path[SCRATCH_SIZE + 16];
    (void)state;
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    return rig_open(&rig) == DRAY_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    scratch_remove(folder);
    return 0;
}

static void expect_sound(void)
{
    struct dray_tend tend;
    assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK, &tend), DRAY_OK);
    if (tend.damaged)
        fail_msg("%s", rig.note);
}

static void test_a_job_comes_and_goes(void **state)
{
    int32_t answer;
    (void)state;
    assert_int_equal(rig_push(&rig, "q", "a", "{\"n\":1}"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "{\"n\":1}"), DRAY_EXISTS);
    assert_int_equal(rig_push(&rig, "q", "a", "{\"n\":2}"), DRAY_CONFLICT);
    assert_int_equal(rig_reserve(&rig, "q", 5, 1000), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    struct rig_job job = rig.jobs[0];
    assert_string_equal(job.id, "a");
    assert_int_equal(job.attempts, 1);
    assert_int_equal(rig.call.next_ms, 1001);
    assert_int_equal(rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    assert_int_equal(rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_STALE);
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK);
    assert_int_equal(rig.njobs, 0);
    expect_sound();
}

/* A payload above the inline limit lies in a table of its own, and goes with its job on each way
   out. */
static void test_large_payloads(void **state)
{
    static char text[1024 * 1024 + 1];
    int32_t answer;
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[0] = text[sizeof(text) - 2] = '"';
    const char *ids[] = {"acked", "kept", "removed"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_push(&rig, "q", ids[i], text), DRAY_OK);
        assert_int_equal(rig_push(&rig, "q", ids[i], text), DRAY_EXISTS);
    }
    text[7] = 'y';
    assert_int_equal(rig_push(&rig, "q", "acked", text), DRAY_CONFLICT);
    text[7] = 'x';
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        sum = sum * 31 + (unsigned char)text[i];
    assert_int_equal(rig_reserve(&rig, "q", 2, 1000), DRAY_OK);
    assert_int_equal(rig.njobs, 2);
    assert_int_equal(rig.jobs[0].payload_len, sizeof(text) - 1);
    assert_true(rig.jobs[0].payload_sum == sum && rig.jobs[1].payload_sum == sum);
    struct rig_job job = rig.jobs[0];
    assert_int_equal(rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    assert_int_equal(rig_change(&rig, "q", DRAY_CHANGE_REMOVE, "removed", &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    expect_sound();
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_true(rig.jobs[0].payload_sum == sum);
}

/* C3: leases are monotonic, delays follow the wall clock. */
static void test_wall_clock_steps(void **state)
{
    struct dray_job later = rig_job("later", "1");
    int32_t answer;
    (void)state;
    later.delay_ms = 60000;
    assert_int_equal(rig_push(&rig, "q", "now", "1"), DRAY_OK);
    assert_int_equal(rig_push_job(&rig, "q", &later), DRAY_OK);
    assert_int_equal(rig_reserve(&rig, "q", 1, 5000), DRAY_OK);
    struct rig_job job = rig.jobs[0];
    rig.wall_ms -= 3600000; /* a person sets the clock back an hour */
    assert_int_equal(rig_reserve(&rig, "q", 9, 5000), DRAY_OK);
    assert_int_equal(rig.njobs, 0);
    rig.wall_ms += 2 * 3600000; /* and two forwards */
    assert_int_equal(rig_reserve(&rig, "q", 9, 5000), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_string_equal(rig.jobs[0].id, "later");
    rig.mono_ms += 5000;
    assert_int_equal(rig_extend(&rig, "q", &job, 5000, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    rig.mono_ms += 5001;
    assert_int_equal(rig_reserve(&rig, "q", 9, 5000), DRAY_OK);
    assert_int_equal(rig.njobs, 2);
    expect_sound();
}

/* A lease of an earlier boot has expired, whatever its time says; a late outcome still wins until
   somebody has looked. */
static void test_another_boot(void **state)
{
    int32_t answer;
    (void)state;
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "b", "1"), DRAY_OK);
    assert_int_equal(rig_reserve(&rig, "q", 2, 3600000), DRAY_OK);
    struct rig_job a = rig.jobs[0], b = rig.jobs[1];
    rig_close(&rig);
    rig.host.boot_id = "boot-2";
    rig.mono_ms = 10; /* counts from the boot */
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_settle(&rig, "q", &b, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    assert_int_equal(rig_reserve(&rig, "q", 2, 3600000), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_string_equal(rig.jobs[0].id, "a");
    assert_string_equal(rig.jobs[0].error, "lease expired");
    assert_int_equal(rig.jobs[0].attempts, 2);
    assert_int_equal(rig_settle(&rig, "q", &a, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
    assert_int_equal(answer, DRAY_STALE);
    expect_sound();
}

/* Groups of one turn are answered each on its own, and a refused one leaves nothing. */
static void test_groups_of_a_turn(void **state)
{
    struct dray_job jobs[4] = {
        rig_job("a", "1"), rig_job("b", "1"), rig_job("c", "1"), rig_job("d", "1")};
    const struct dray_job *first[] = {&jobs[0], &jobs[1]}, *second[] = {&jobs[2], &jobs[3]};
    int32_t answers[4] = {0};
    char holders[2][DRAY_NAME_MAX + 1] = {"", ""};
    struct dray_push pushes[2] = {
        {.size = sizeof(struct dray_push),
            .queue = rig_str("q"),
            .jobs = first,
            .answers = answers,
            .njobs = 2},
        {.size = sizeof(struct dray_push),
            .queue = rig_str("q"),
            .jobs = second,
            .answers = answers + 2,
            .holders = holders,
            .njobs = 2},
    };
    struct dray_push *const list[] = {&pushes[0], &pushes[1]};
    struct dray_turn turn = {.size = sizeof(turn), .npush = 2, .push = list};
    (void)state;
    jobs[0].unique = jobs[3].unique = rig_str("key");
    assert_int_equal(rig.driver->turn(rig.self, rig_call(&rig), &turn), DRAY_OK);
    assert_int_equal(pushes[0].code, DRAY_OK);
    assert_int_equal(pushes[1].code, DRAY_DUPLICATE);
    assert_int_equal(answers[2], DRAY_OK);
    assert_int_equal(answers[3], DRAY_DUPLICATE);
    assert_string_equal(holders[1], "a");
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK);
    assert_int_equal(rig.njobs, 2);
    expect_sound();
}

static void edit(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(rig.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* check finds what somebody did to the tables, repair mends it, and a job without its payload is
   set aside, not delivered. */
static void test_repair(void **state)
{
    static char text[4001];
    struct dray_tend tend;
    (void)state;
    memset(text, '1', sizeof(text) - 1);
    assert_int_equal(rig_push(&rig, "q", "small", "1"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "large", text), DRAY_OK);
    expect_sound();
    edit("DELETE FROM payloads; UPDATE queues SET ready=77; UPDATE meta SET next=1");
    assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK, &tend), DRAY_OK);
    assert_int_equal(tend.damaged, 3);
    assert_int_equal(tend.records, 2);
    assert_int_equal(rig.notes, 3);
    assert_int_equal(rig_tend(&rig, DRAY_TEND_REPAIR, &tend), DRAY_OK);
    assert_int_equal(tend.repaired, 3);
    expect_sound();
    assert_int_equal(rig_reserve(&rig, "q", 9, 1000), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_string_equal(rig.jobs[0].id, "small");
    assert_int_equal(rig_stats(&rig, "q"), DRAY_OK);
    assert_int_equal(rig.row.dead, 1);
    assert_int_equal(rig_push(&rig, "q", "new", "1"), DRAY_OK);
    expect_sound();
}

static void test_compact(void **state)
{
    static char text[100001];
    struct dray_tend tend;
    int32_t answer;
    char id[16];
    (void)state;
    memset(text, '1', sizeof(text) - 1);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "job-%d", i);
        assert_int_equal(rig_push(&rig, "q", id, text), DRAY_OK);
    }
    for (int i = 0; i < 39; i++) {
        snprintf(id, sizeof(id), "job-%d", i);
        assert_int_equal(rig_change(&rig, "q", DRAY_CHANGE_REMOVE, id, &answer), DRAY_OK);
    }
    assert_int_equal(rig_tend(&rig, DRAY_TEND_COMPACT, &tend), DRAY_OK);
    assert_true(tend.bytes_before > 4000000);
    assert_true(tend.bytes_after < 400000);
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_string_equal(rig.jobs[0].id, "job-39");
    expect_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_job_comes_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_payloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wall_clock_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_boot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_groups_of_a_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_repair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compact, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
