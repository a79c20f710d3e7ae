/* SPDX-License-Identifier: Apache-2.0 */
/* The disk fails: every sync and every write of a history once, and a disk that is full. */
#include "scratch.h"
#include "sqlite/rig.h"
#include "sqlite/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#define STEPS 6

static char folder[SCRATCH_SIZE];
static char path[SCRATCH_SIZE + 32];
static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    shim_fail_writes(0, 0, 0);
    shim_fail_syncs(0, 0, 0);
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shim_fail_writes(0, 0, 0);
    shim_fail_syncs(0, 0, 0);
    rig_close(&rig);
    scratch_remove(folder);
    return 0;
}

static void heal(void)
{
    shim_fail_writes(0, 0, 0);
    shim_fail_syncs(0, 0, 0);
}

static uint32_t count_job(const char *id)
{
    struct dray_filter filter = {.size = sizeof(filter), .id = rig_str(id), .max = 10};
    assert_int_equal(rig.driver->list(rig.self, rig_call(&rig), &filter), DRAY_OK);
    return rig.njobs;
}

/*
 * Pushes jobs until something fails. Then: nothing more is done on the instance if the outcome is
 * unknown; opened again, the store is sound, has all that was answered OK, and the job in doubt
 * once or not at all - and once after it was pushed again.
 */
static void push_until_failure(int *failed)
{
    char id[16], doubtful[16] = "";
    struct dray_tend tend;
    int pushed = 0;
    int32_t code = DRAY_OK;
    for (; pushed < STEPS; pushed++) {
        snprintf(id, sizeof(id), "job-%d", pushed);
        code = rig_push(&rig, "q", id, "{\"some\":\"payload\"}");
        if (code != DRAY_OK)
            break;
    }
    *failed = code != DRAY_OK;
    if (code == DRAY_UNKNOWN) {
        snprintf(doubtful, sizeof(doubtful), "job-%d", pushed);
        assert_non_null(strstr(rig.error.text, path));
        heal();
        assert_int_equal(rig_push(&rig, "q", "more", "1"), DRAY_POISONED);
        assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_POISONED);
    } else if (code != DRAY_OK && code != DRAY_POISONED) {
        assert_true(DRAY_IS_NOT_DONE(code));
    }
    heal();
    rig_close(&rig);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK, &tend), DRAY_OK);
    assert_int_equal(tend.damaged, 0);
    for (int i = 0; i < pushed; i++) {
        snprintf(id, sizeof(id), "job-%d", i);
        assert_int_equal(count_job(id), 1);
    }
    if (doubtful[0]) {
        int32_t again = rig_push(&rig, "q", doubtful, "{\"some\":\"payload\"}");
        assert_true(again == DRAY_OK || again == DRAY_EXISTS);
        assert_int_equal(count_job(doubtful), 1);
    }
    assert_int_equal(count_job("more"), 0);
}

static void start_anew(void)
{
    heal();
    rig_close(&rig);
    scratch_remove(folder);
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    assert_int_equal(rig_open(&rig), DRAY_OK);
}

static void test_each_sync_fails(void **state)
{
    int failed = 1, runs = 0, unknown = 0;
    (void)state;
    for (int k = 1; failed && k < 200; k++, runs++) {
        start_anew();
        shim_fail_syncs(k, 1, SQLITE_IOERR_FSYNC);
        push_until_failure(&failed);
        unknown += failed;
    }
    assert_false(failed); /* the last run met no failure */
    assert_true(unknown >= STEPS);
}

static void test_each_write_fails(void **state)
{
    int failed = 1, runs = 0;
    (void)state;
    for (int k = 1; failed && k < 500; k++, runs++) {
        start_anew();
        shim_fail_writes(k, 1, SQLITE_IOERR_WRITE);
        push_until_failure(&failed);
    }
    assert_false(failed);
    assert_true(runs > STEPS);
}

/* No room at all, at each write: certainly not done, and the next try works. */
static void test_each_write_finds_no_room(void **state)
{
    char id[16];
    int refused = 0, runs = 0, failed = 1;
    (void)state;
    for (int k = 1; failed && k < 500; k++, runs++) {
        start_anew();
        shim_fail_writes(k, INT_MAX, SQLITE_FULL);
        failed = 0;
        for (int i = 0; i < STEPS; i++) {
            snprintf(id, sizeof(id), "job-%d", i);
            int32_t code = rig_push(&rig, "q", id, "1");
            if (code == DRAY_OK)
                continue;
            assert_int_equal(code, DRAY_FULL);
            assert_int_equal(count_job(id), 0);
            failed = 1;
            refused++;
            heal();
            assert_int_equal(rig_push(&rig, "q", id, "1"), DRAY_OK);
        }
        assert_int_equal(rig_stats(&rig, "q"), DRAY_OK);
        assert_int_equal(rig.row.ready, STEPS);
    }
    assert_false(failed);
    assert_true(refused >= STEPS);
}

/* A worker asks again and again while the disk is full: the log hears of it once, and once more
   when it is full again. */
static void test_a_full_disk_is_told_once(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    for (int times = 1; times <= 2; times++) {
        shim_fail_writes(1, INT_MAX, SQLITE_FULL);
        for (int i = 0; i < 5; i++)
            assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_FULL);
        assert_int_equal(rig.log_lines, times);
        assert_non_null(strstr(rig.log, "the disk is full"));
        heal();
        assert_int_equal(rig_push(&rig, "q", times == 1 ? "b" : "c", "1"), DRAY_OK);
    }
}

/* One instance's failed sync is the other's warning: it makes the log safe before it goes on. */
static void test_others_are_warned(void **state)
{
    struct rig *other = malloc(sizeof(*other));
    (void)state;
    assert_non_null(other);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    rig_init(other, path);
    assert_int_equal(rig_open(other), DRAY_OK);
    assert_int_equal(rig_reserve(other, "new", 1, 1000), DRAY_OK); /* written, and not synced */
    shim_fail_syncs(1, 1, SQLITE_IOERR_FSYNC);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_UNKNOWN);
    heal();
    assert_int_equal(rig_reserve(other, "none", 0, 1000), DRAY_OK);
    assert_true(shim_syncs() >= 2); /* the log, then the database */
    int before = shim_syncs();
    assert_int_equal(rig_reserve(other, "none", 0, 1000), DRAY_OK);
    assert_int_equal(shim_syncs(), before);
    rig_close(other);
    free(other);
}

/* A real full disk, if this process may mount one: pushes are refused, outcomes are not. */
static void work_off_a_full_disk(int reopen)
{
    static char text[1400];
    char id[16], name[SCRATCH_SIZE + 64];
    int32_t answer, code = DRAY_OK;
    int pushed = 0;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=8m") != 0) {
        print_message("not permitted to mount: the full disk is left to the other tests\n");
        return;
    }
    memset(text, '7', sizeof(text) - 1);
    rig.spare = 512 * 1024;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    for (; pushed < 5000 && code == DRAY_OK; pushed++) {
        snprintf(id, sizeof(id), "job-%d", pushed);
        code = rig_push(&rig, "q", id, text);
    }
    assert_int_equal(code, DRAY_FULL);
    pushed--;
    assert_true(pushed > 100);
    if (reopen) { /* as a worker that is started when the disk is full already */
        rig_close(&rig);
        code = rig_open(&rig);
        if (code != DRAY_OK)
            fail_msg("%s", rig.error.text);
    }
    for (int done = 0; done < pushed; done++) { /* one by one: the most writing */
        assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_OK);
        assert_int_equal(rig.njobs, 1);
        struct rig_job job = rig.jobs[0];
        assert_int_equal(rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
        assert_int_equal(answer, DRAY_OK);
    }
    snprintf(name, sizeof(name), "%s-spare", path);
    assert_int_equal(rig_stats(&rig, "q"), DRAY_OK);
    assert_int_equal(rig.row.ready + rig.row.active, 0);
    assert_int_equal(mount("none", folder, "tmpfs", MS_REMOUNT, "size=16m"), 0);
    for (int i = 0; i < 300; i++) { /* the spare room comes back within a second */
        code = rig_push(&rig, "q", "again", text);
        if (code == DRAY_OK)
            break;
        assert_int_equal(code, DRAY_FULL);
        usleep(10000);
    }
    assert_int_equal(code, DRAY_OK);
    struct stat st;
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_size, rig.spare);
    rig_close(&rig);
    assert_int_equal(umount(folder), 0);
}

static void test_full_disk(void **state)
{
    (void)state;
    work_off_a_full_disk(0);
}

static void test_open_on_a_full_disk(void **state)
{
    (void)state;
    work_off_a_full_disk(1);
}

/* A limit on file sizes: no signal ends the program, and the pushes are refused as on a full
   disk. */
static void test_file_size_limit(void **state)
{
    static char text[1400];
    char id[16];
    struct rlimit before, limit;
    int32_t code = DRAY_OK;
    int pushed = 0;
    (void)state;
    memset(text, '7', sizeof(text) - 1);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 256 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (; pushed < 2000 && code == DRAY_OK; pushed++) {
        snprintf(id, sizeof(id), "job-%d", pushed);
        code = rig_push(&rig, "q", id, text);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (code != DRAY_FULL)
        fail_msg("%s", rig.error.text);
    assert_int_equal(rig_stats(&rig, "q"), DRAY_OK);
    assert_int_equal(rig.row.ready, pushed - 1);
    assert_int_equal(rig_push(&rig, "q", id, text), DRAY_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_each_sync_fails),
        CASE(test_each_write_fails),
        CASE(test_each_write_finds_no_room),
        CASE(test_a_full_disk_is_told_once),
        CASE(test_others_are_warned),
        CASE(test_file_size_limit),
        CASE(test_full_disk),
        CASE(test_open_on_a_full_disk),
    };
    if (shim_register() != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
