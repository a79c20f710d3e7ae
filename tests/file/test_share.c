/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several instances on one file: each sees what the others did, whoever writes the file anew, cuts
 * it or fails. Over the disk in memory; what needs the kernel's locks is done on a real one.
 */
#include "disk.h"
#include "rig.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct rig a, b;

static void open_both(int64_t max_file_size)
{
    disk_new();
    disk_forget();
    rig_init(&a);
    rig_init(&b);
    a.max_file_size = b.max_file_size = max_file_size;
    assert_int_equal(rig_open(&a), DRAY_OK);
    assert_int_equal(rig_open(&b), DRAY_OK);
}

static void close_both(void)
{
    rig_close(&a);
    rig_close(&b);
    assert_int_equal(a.blocks, 0);
    assert_int_equal(b.blocks, 0);
    disk_free();
}

static void each_sees_the_other(void **state)
{
    (void)state;
    open_both(5 << 20);
    assert_int_equal(rig_push(&a, "x", "1", 0, "key"), DRAY_OK);
    assert_int_equal(rig_push(&b, "x", "1", 0, "key"), DRAY_EXISTS);
    assert_int_equal(rig_push(&b, "x", "2", 0, "key"), DRAY_CONFLICT);
    assert_int_equal(rig_push(&b, "y", "1", 0, "key"), DRAY_DUPLICATE);
    assert_int_equal(rig_take(&b, 1, 1000), DRAY_OK);
    assert_int_equal(b.nseen, 1);
    struct seen job = b.seen[0];
    assert_int_equal(rig_take(&a, 1, 1000), DRAY_OK);
    assert_int_equal(a.nseen, 0);
    /* A lease is good on any instance. */
    job.ref = 12345;
    assert_int_equal(rig_settle(&a, &job, DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_OK);
    assert_int_equal(rig_settle(&b, &job, DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_STALE);
    assert_int_equal(rig_change(&a, DRAY_CHANGE_PAUSE, NULL, 0), DRAY_OK);
    assert_int_equal(rig_push(&a, "z", "1", 0, NULL), DRAY_OK);
    assert_int_equal(rig_take(&b, 1, 1000), DRAY_OK);
    assert_int_equal(b.nseen, 0);
    assert_int_equal(rig_stats(&b), DRAY_OK);
    assert_int_equal(b.row.paused, 1);
    assert_int_equal(b.totals.pushed, 2);
    assert_int_equal(b.totals.completed, 1);
    close_both();
}

static void same_jobs(void)
{
    assert_int_equal(rig_list(&a), DRAY_OK);
    assert_int_equal(rig_list(&b), DRAY_OK);
    assert_int_equal(a.nseen, b.nseen);
    for (size_t i = 0; i < a.nseen; i++) {
        assert_string_equal(a.seen[i].id, b.seen[i].id);
        assert_int_equal(a.seen[i].state, b.seen[i].state);
        assert_int_equal(a.seen[i].attempts, b.seen[i].attempts);
        assert_int_equal(a.seen[i].run_at_ms, b.seen[i].run_at_ms);
        assert_string_equal(a.seen[i].payload, b.seen[i].payload);
        assert_string_equal(a.seen[i].error, b.seen[i].error);
    }
}

/* `n` jobs pushed, half of them worked off, by one instance. */
static void churn(struct rig *rig, const char *prefix, unsigned n)
{
    char id[24];
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%s%u", prefix, i);
        assert_int_equal(rig_push(rig, id, "{\"a\":\"b\"}", i % 3 * 1000, NULL), DRAY_OK);
        if (i % 2 == 0 || rig_take(rig, 1, 60000) != DRAY_OK || !rig->nseen)
            continue;
        struct seen job = rig->seen[0];
        assert_int_equal(rig_settle(rig, &job, i % 5 ? DRAY_VERDICT_DONE : DRAY_VERDICT_BURY, 0,
                             i % 5 ? NULL : "no", 0),
            DRAY_OK);
    }
}

static void follows_what_was_written_anew(void **state)
{
    (void)state;
    open_both(16384);
    /* Now and then by one file, now and then by several. */
    for (unsigned round = 0; round < 12; round++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "a%u.", round);
        churn(&a, prefix, round % 4 == 3 ? 200 : 20);
        same_jobs();
        snprintf(prefix, sizeof(prefix), "b%u.", round);
        churn(&b, prefix, 15);
        same_jobs();
    }
    struct rig *fresh = calloc(1, sizeof(*fresh));
    rig_init(fresh);
    assert_int_equal(rig_open(fresh), DRAY_OK);
    assert_int_equal(rig_list(fresh), DRAY_OK);
    assert_int_equal(fresh->nseen, b.nseen);
    rig_stats(fresh);
    rig_stats(&b);
    assert_int_equal(fresh->totals.pushed, b.totals.pushed);
    assert_int_equal(fresh->totals.completed, b.totals.completed);
    assert_int_equal(fresh->totals.died, b.totals.died);
    assert_int_equal(fresh->totals.run_ms, b.totals.run_ms);
    assert_int_equal(fresh->row.dead, b.row.dead);
    rig_close(fresh);
    free(fresh);
    close_both();
}

/* One was killed half-way through a group: the other cuts that off and goes on. */
static void cuts_off_what_another_left(void **state)
{
    (void)state;
    size_t before, after, turn = 2;
    for (size_t more = 1; more < turn; more += 5) {
        open_both(5 << 20);
        assert_int_equal(rig_push(&a, "first", "1", 0, NULL), DRAY_OK);
        assert_int_equal(rig_list(&b), DRAY_OK);
        disk_read(RIG_PATH, &before);
        assert_int_equal(rig_push_group(&a, "g", 5, "{}"), DRAY_OK);
        disk_read(RIG_PATH, &after);
        turn = after - before;
        disk_cut(RIG_PATH, before + more);
        assert_int_equal(rig_list(&b), DRAY_OK);
        assert_int_equal(b.nseen, 1);
        assert_int_equal(rig_push_group(&b, "h", 2, "{}"), DRAY_OK);
        rig_close(&a);
        assert_int_equal(rig_open(&a), DRAY_OK);
        same_jobs();
        assert_int_equal(a.nseen, 3);
        close_both();
    }
}

/* What one failed to sync is copied by the next before it says anything about it. */
static void heeds_a_failed_sync(void **state)
{
    (void)state;
    open_both(5 << 20);
    assert_int_equal(rig_push(&a, "safe", "1", 0, NULL), DRAY_OK);
    size_t n;
    char *before = calloc(1, 193);
    assert_non_null(before);
    memcpy(before, disk_read(RIG_PATH, &n), 192);
    assert_true(n >= 192);
    for (uint64_t call = 1;; call++) {
        assert_true(call < 100);
        assert_int_equal(rig_list(&a), DRAY_OK); /* what an error made it forget is read again */
        disk_plan(&(struct disk_plan){.first = call, .error = EIO});
        int32_t code = rig_push(&a, "unsure", "1", 0, NULL);
        disk_plan(NULL);
        if (code == DRAY_UNKNOWN)
            break;
        /* Not every call matters: room allocated ahead does not. */
        if (code == DRAY_OK)
            assert_int_equal(rig_change(&a, DRAY_CHANGE_REMOVE, "unsure", 0), DRAY_OK);
    }
    assert_int_equal(rig_push(&a, "later", "1", 0, NULL), DRAY_POISONED);
    b.warnings = 0;
    assert_int_equal(rig_push(&b, "next", "1", 0, NULL), DRAY_OK);
    assert_true(b.warnings > 0);
    assert_memory_not_equal(before, disk_read(RIG_PATH, &n), 192);
    free(before);
    rig_close(&a);
    assert_int_equal(rig_open(&a), DRAY_OK);
    same_jobs();
    assert_non_null(rig_find(&a, "safe"));
    assert_non_null(rig_find(&a, "next"));
    close_both();
}

/* ---- on a real disk ---- */

static char folder[SCRATCH_SIZE], path[96], lock_path[104];

static void begin_real(void)
{
    disk_free();
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/jobs.jsonl", folder);
    snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
    rig_init(&a);
    rig_init(&b);
    a.path = b.path = path;
    a.durability = b.durability = DRAY_DURABILITY_PROCESS;
    assert_int_equal(rig_open(&a), DRAY_OK);
}

static void end_real(void)
{
    rig_close(&a);
    rig_close(&b);
    scratch_remove(folder);
}

/* A process that takes the lock, says so, and holds it until it dies. */
static pid_t hold_lock(void)
{
    int said[2];
    char byte;
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(lock_path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX) != 0 || write(said[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(said[0], &byte, 1), 1);
    close(said[0]);
    close(said[1]);
    return pid;
}

static void stale_holder(void **state)
{
    (void)state;
    begin_real();
    a.budget_ms = 60;
    pid_t pid = hold_lock();
    assert_int_equal(rig_push(&a, "x", "1", 0, NULL), DRAY_BUSY);
    assert_non_null(strstr(a.error.text, "lock"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    a.budget_ms = 0;
    assert_int_equal(rig_push(&a, "x", "1", 0, NULL), DRAY_OK);
    end_real();
}

/* Somebody tidied up: a new lock file is as good. */
static void lock_file_is_removed(void **state)
{
    (void)state;
    begin_real();
    assert_int_equal(rig_open(&b), DRAY_OK);
    assert_int_equal(unlink(lock_path), 0);
    assert_int_equal(rig_push(&a, "x", "1", 0, NULL), DRAY_OK);
    assert_int_equal(rig_push(&b, "x", "1", 0, NULL), DRAY_EXISTS);
    assert_int_equal(access(lock_path, F_OK), 0);
    end_real();
}

static void file_is_removed(void **state)
{
    (void)state;
    begin_real();
    assert_int_equal(rig_push(&a, "x", "1", 0, NULL), DRAY_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rig_push(&a, "y", "1", 0, NULL), DRAY_IO);
    assert_non_null(strstr(a.error.text, path));
    assert_int_equal(access(path, F_OK), -1);
    end_real();
}

static int rings(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

/* watch: a push of another instance rings, a look without one does not; reserve hears it. */
static void another_rings(void **state)
{
    (void)state;
    begin_real();
    assert_int_equal(rig_open(&b), DRAY_OK);
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = sizeof(call), .budget_ms = RIG_BUDGET_MS, .error = &error};
    struct dray_str queue = {"q", 1};
    int32_t fd = -1;
    assert_int_equal(dray_driver_entry()->watch(b.self, &call, &queue, 1, &fd), DRAY_OK);
    assert_int_equal(rig_take(&b, 1, 1000), DRAY_OK);
    assert_false(rings(fd));
    assert_int_equal(rig_take(&a, 1, 1000), DRAY_OK);
    assert_int_equal(rig_stats(&a), DRAY_OK);
    assert_false(rings(fd));
    assert_int_equal(rig_push(&a, "x", "1", 0, NULL), DRAY_OK);
    assert_true(rings(fd));
    assert_int_equal(rig_take(&b, 1, 1000), DRAY_OK);
    assert_int_equal(b.nseen, 1);
    assert_false(rings(fd));
    end_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sees_the_other),
        cmocka_unit_test(follows_what_was_written_anew),
        cmocka_unit_test(cuts_off_what_another_left),
        cmocka_unit_test(heeds_a_failed_sync),
        cmocka_unit_test(stale_holder),
        cmocka_unit_test(lock_file_is_removed),
        cmocka_unit_test(file_is_removed),
        cmocka_unit_test(another_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
