/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: what is not ours is refused with one clear line and left as it was (X5); what is ours
 * comes back after a boot of the machine (C3), under other options, and after it was written anew.
 */
#include "disk.h"
#include "rig.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;

static int begin(void **state)
{
    (void)state;
    disk_new();
    rig_init(&rig);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_close(&rig);
    disk_free();
    return rig.blocks != 0;
}

/* Refused, with the path and these words in the line, and the file as it was. */
static void refuse(const char *bytes, int32_t code, const char *words)
{
    size_t len;
    disk_write(RIG_PATH, bytes, strlen(bytes));
    assert_int_equal(rig_open(&rig), code);
    if (!strstr(rig.error.text, RIG_PATH) || !strstr(rig.error.text, words))
        fail_msg("says: %s", rig.error.text);
    assert_null(strchr(rig.error.text, '\n'));
    rig_close(&rig);
    const char *after = disk_read(RIG_PATH, &len);
    assert_int_equal(len, strlen(bytes));
    assert_memory_equal(after, bytes, len);
}

static void other_files(void **state)
{
    (void)state;
    size_t len;
    refuse("#!/bin/sh\necho hello\n", DRAY_CONFIG, "another program");
    refuse("{\"level\":\"info\"}\n{\"level\":\"warn\"}\n", DRAY_CONFIG, "another program");
    refuse("\n", DRAY_CONFIG, "another program");
    assert_null(disk_read(RIG_PATH ".lock", &len)); /* nothing is laid beside it */
    refuse("{\"crc\":\"00000000\",\"dray\":\"jobs\",\"version\":1}\n", DRAY_CORRUPT, "damaged");
}

static void newer_format(void **state)
{
    (void)state;
    /* The sums are those of these lines. */
    refuse("{\"crc\":\"2c4e369d\",\"dray\":\"jobs\",\"version\":2,\"colour\":\"blue\"}\n"
           "{\"sum\":\"whatever\"}\n",
        DRAY_UNSUPPORTED, "newer version");
}

static void empty_file_is_begun(void **state)
{
    (void)state;
    disk_write(RIG_PATH, "", 0);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", "1", 0, NULL), DRAY_OK);
}

static void network(void **state)
{
    (void)state;
    disk_kind(0x6969);
    assert_int_equal(rig_open(&rig), DRAY_UNSUPPORTED);
    assert_non_null(strstr(rig.error.text, "NFS"));
    rig_close(&rig);
    rig.network = 1;
    assert_int_equal(rig_open(&rig), DRAY_OK);
}

static void durability(void **state)
{
    (void)state;
    rig.durability = DRAY_DURABILITY_REPLICATED;
    assert_int_equal(rig_open(&rig), DRAY_UNSUPPORTED);
    rig_close(&rig);
    rig.durability = DRAY_DURABILITY_VOLATILE;
    assert_int_equal(rig_open(&rig), DRAY_UNSUPPORTED);
}

/* On a real disk. */
static void bad_places(void **state)
{
    (void)state;
    char folder[SCRATCH_SIZE], path[SCRATCH_SIZE + 8];
    disk_free();
    scratch_make(folder);
    rig.path = folder;
    assert_int_equal(rig_open(&rig), DRAY_CONFIG);
    assert_non_null(strstr(rig.error.text, "folder"));
    rig_close(&rig);
    snprintf(path, sizeof(path), "%s/link", folder);
    assert_int_equal(symlink("/tmp/nowhere", path), 0);
    rig.path = path;
    assert_int_equal(rig_open(&rig), DRAY_DENIED);
    assert_non_null(strstr(rig.error.text, "symbolic link"));
    rig_close(&rig);
    unlink(path);
    snprintf(path, sizeof(path), "%s/", folder);
    assert_int_equal(rig_open(&rig), DRAY_CONFIG);
    rig_close(&rig);
    if (geteuid() != 0) { /* nothing is denied to root */
        snprintf(path, sizeof(path), "%s/jobs", folder);
        assert_int_equal(chmod(folder, 0500), 0);
        assert_int_equal(rig_open(&rig), DRAY_DENIED);
        rig_close(&rig);
        assert_int_equal(chmod(folder, 0700), 0);
    }
    scratch_remove(folder);
}

/* C3: leases survive changes of the wall clock, not a start of the machine; delays follow the wall
   clock. D3: the attempt is counted. */
static void another_boot(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "late", "1", 3600000, NULL), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", "1", 0, NULL), DRAY_OK);
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    struct seen job = rig.seen[0];
    rig_close(&rig);
    rig.wall_ms += 600000;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    assert_int_equal(rig.nseen, 0);
    assert_int_equal(rig.next_ms, 60001);
    rig_close(&rig);
    rig.boot_id = "second boot";
    rig.mono_ms = 5; /* and its clock begins anew */
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    assert_int_equal(rig.nseen, 1);
    assert_string_equal(rig.seen[0].id, "a");
    assert_int_equal(rig.seen[0].attempts, 2);
    assert_string_equal(rig.seen[0].error, "lease expired");
    assert_int_equal(rig_settle(&rig, &job, DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_STALE);
    rig.wall_ms += 3000001;
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    assert_int_equal(rig.nseen, 1);
    assert_string_equal(rig.seen[0].id, "late");
}

/* The whole of a job outlives every writing anew. */
static void compact_keeps_all(void **state)
{
    (void)state;
    static struct seen before[8];
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "dead", "{\"a\":\n1}", 0, "key1"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "done", "\"\\u0007\"", 0, "key2"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "again", "3", 0, "key3"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "held", "4", 0, "key4"), DRAY_OK);
    assert_int_equal(rig_push(&rig, "first", "5", 0, NULL), DRAY_OK);
    assert_int_equal(rig_push(&rig, "second", "6", 0, NULL), DRAY_OK);
    assert_int_equal(rig_take(&rig, 4, 60000), DRAY_OK);
    struct seen taken[4];
    memcpy(taken, rig.seen, sizeof(taken));
    assert_int_equal(rig_settle(&rig, &taken[0], DRAY_VERDICT_BURY, 0, "no\x01\x7f\\", 0), DRAY_OK);
    assert_int_equal(
        rig_settle(&rig, &taken[1], DRAY_VERDICT_DONE, 0, NULL, DRAY_LEASE_KEEP), DRAY_OK);
    assert_int_equal(rig_settle(&rig, &taken[2], DRAY_VERDICT_RELEASE, 9000, "later", 0), DRAY_OK);
    assert_int_equal(rig_list(&rig), DRAY_OK);
    size_t n = rig.nseen;
    memcpy(before, rig.seen, n * sizeof(before[0]));
    assert_int_equal(rig_tend(&rig, DRAY_TEND_COMPACT), DRAY_OK);
    assert_true(rig.tend.bytes_after < rig.tend.bytes_before);
    rig_close(&rig);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_list(&rig), DRAY_OK);
    assert_int_equal(rig.nseen, n);
    for (size_t i = 0; i < n; i++) {
        before[i].ref = rig.seen[i].ref;
        assert_memory_equal(&before[i], &rig.seen[i], sizeof(before[i]));
    }
    assert_int_equal(rig_settle(&rig, &taken[3], DRAY_VERDICT_DONE, 0, NULL, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "x", "1", 0, "key3"), DRAY_DUPLICATE);
    assert_int_equal(rig_push(&rig, "x", "1", 0, "key1"), DRAY_OK);
    assert_int_equal(rig_take(&rig, 1, 60000), DRAY_OK);
    assert_string_equal(rig.seen[0].id, "first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(other_files, begin, end),
        cmocka_unit_test_setup_teardown(newer_format, begin, end),
        cmocka_unit_test_setup_teardown(empty_file_is_begun, begin, end),
        cmocka_unit_test_setup_teardown(network, begin, end),
        cmocka_unit_test_setup_teardown(durability, begin, end),
        cmocka_unit_test_setup_teardown(bad_places, begin, end),
        cmocka_unit_test_setup_teardown(another_boot, begin, end),
        cmocka_unit_test_setup_teardown(compact_keeps_all, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
