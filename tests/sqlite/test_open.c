/* SPDX-License-Identifier: Apache-2.0 */
/* What open refuses, with which code and words, and that it leaves alone what is not its own. */
#include "scratch.h"
#include "sqlite/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char folder[SCRATCH_SIZE];
static char path[SCRATCH_SIZE + 32];
static struct rig rig;

/* In place of the C library's, for the driver too: the program is linked with its symbols
   exported. */
static long fake_magic;
__attribute__((visibility("default"))) int statfs(const char *file, struct statfs *buf)
{
    memset(buf, 0, sizeof(*buf));
    buf->f_type = fake_magic;
    return access(file, F_OK);
}

static int set_up(void **state)
{
    (void)state;
    fake_magic = EXT4_SUPER_MAGIC;
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    scratch_remove(folder);
    return 0;
}

/* Refused with this code, in one line that names the path and has these words. */
static void refuses(int32_t code, const char *words)
{
    assert_int_equal(rig_open(&rig), code);
    assert_int_equal(rig.error.code, code);
    assert_non_null(strstr(rig.error.text, folder));
    if (!strstr(rig.error.text, words))
        fail_msg("\"%s\" lacks \"%s\"", rig.error.text, words);
    assert_null(strchr(rig.error.text, '\n'));
}

static void put(const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static size_t get(char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, size);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static void edit(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int is_there(const char *suffix)
{
    char name[SCRATCH_SIZE + 64];
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(lstat(name, &st), 0);
    return st.st_mode & 0777;
}

static void test_makes_folders_and_files_private(void **state)
{
    char name[SCRATCH_SIZE + 64];
    (void)state;
    mode_t before = umask(0);
    snprintf(path, sizeof(path), "%s/a/b/queue.db", folder);
    rig_init(&rig, path);
    int32_t code = rig_open(&rig);
    umask(before);
    assert_int_equal(code, DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    assert_int_equal(rig.durability, DRAY_DURABILITY_HOST);
    static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        assert_int_equal(mode_of(name), 0600);
    }
    snprintf(name, sizeof(name), "%s/a", folder);
    assert_int_equal(mode_of(name), 0700);
    snprintf(name, sizeof(name), "%s/a/b", folder);
    assert_int_equal(mode_of(name), 0700);
}

static void test_durability(void **state)
{
    (void)state;
    static const uint32_t refused[] = {DRAY_DURABILITY_VOLATILE, DRAY_DURABILITY_REPLICATED, 9};
    for (size_t i = 0; i < 3; i++) {
        rig.durability = refused[i];
        assert_int_equal(rig_open(&rig), DRAY_UNSUPPORTED);
        assert_non_null(strstr(rig.error.text, "`host` or `process`"));
        assert_false(is_there(""));
    }
    rig.durability = DRAY_DURABILITY_PROCESS;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig.durability, DRAY_DURABILITY_PROCESS);
}

static void test_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    refuses(DRAY_CONFIG, "a folder");
    snprintf(rig.path, sizeof(rig.path), "%s/", folder);
    refuses(DRAY_CONFIG, "not the path of a file");
}

static void test_links_and_devices(void **state)
{
    char target[SCRATCH_SIZE + 64], through[SCRATCH_SIZE + 64];
    (void)state;
    snprintf(target, sizeof(target), "%s/other.db", folder);
    assert_int_equal(symlink(target, path), 0);
    refuses(DRAY_DENIED, "symbolic link");
    assert_int_not_equal(access(target, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuses(DRAY_CONFIG, "not a regular file");
    /* A linked folder above is fine. */
    snprintf(through, sizeof(through), "%s/link", folder);
    assert_int_equal(symlink(folder, through), 0);
    snprintf(rig.path, sizeof(rig.path), "%s/real.db", through);
    assert_int_equal(rig_open(&rig), DRAY_OK);
}

static void test_linked_lock(void **state)
{
    char name[SCRATCH_SIZE + 64];
    (void)state;
    snprintf(name, sizeof(name), "%s-lock", path);
    assert_int_equal(symlink("/dev/null", name), 0);
    refuses(DRAY_DENIED, "lock file");
}

static void test_not_a_database(void **state)
{
    static const char text[] = "This is a letter to my aunt, and she would miss it very much. "
                               "It is long enough to be taken for the header of a database file.";
    char after[sizeof(text) + 1];
    (void)state;
    put(text, sizeof(text));
    refuses(DRAY_CONFIG, "not an SQLite database");
    assert_int_equal(get(after, sizeof(after)), sizeof(text));
    assert_memory_equal(after, text, sizeof(text));
    assert_false(is_there("-lock"));
}

static void test_another_program(void **state)
{
    static char before[65536], after[65536];
    (void)state;
    edit("CREATE TABLE aunts(name TEXT)");
    size_t n = get(before, sizeof(before));
    refuses(DRAY_CONFIG, "another program");
    edit("PRAGMA application_id=252006675");
    refuses(DRAY_CONFIG, "application id 252006675");
    edit("PRAGMA application_id=0");
    /* Only the change counter of the header differs: by our own two edits. */
    assert_int_equal(get(after, sizeof(after)), n);
    assert_memory_equal(after + 100, before + 100, n - 100);
    assert_false(is_there("-lock"));
    assert_false(is_there("-spare"));
}

static void test_newer_format(void **state)
{
    static char before[65536], after[65536];
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    rig_close(&rig);
    edit("PRAGMA user_version=2");
    size_t n = get(before, sizeof(before));
    refuses(DRAY_UNSUPPORTED, "format 2, this driver knows up to 1");
    assert_int_equal(get(after, sizeof(after)), n);
    assert_memory_equal(after, before, n);
    edit("PRAGMA user_version=1");
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
}

static void test_altered_tables(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    rig_close(&rig);
    edit("DROP INDEX jobs_place");
    refuses(DRAY_CORRUPT, "index jobs_place is missing");
    edit("CREATE INDEX jobs_place ON jobs(queue)");
    refuses(DRAY_CORRUPT, "index jobs_place is not as");
}

/* A trigger that somebody planted does not run. */
static void test_planted_trigger(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    rig_close(&rig);
    edit("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN UPDATE jobs SET payload='evil'; END");
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_OK);
    assert_int_equal(rig.jobs[0].payload_len, 1);
}

/* Every page but the first overwritten, and the first one alone. */
static void test_damaged_pages(void **state)
{
    static char bytes[1 << 20];
    int32_t code = DRAY_OK;
    char id[16];
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "job-%d", i);
        assert_int_equal(rig_push(&rig, "q", id, "\"0123456789012345678901234567890\""), DRAY_OK);
    }
    rig_close(&rig);
    size_t n = get(bytes, sizeof(bytes));
    assert_true(n > 4096 * 4);
    memset(bytes + 4096, 0xa5, n - 4096);
    put(bytes, n);
    code = rig_open(&rig);
    if (code == DRAY_OK)
        code = rig_reserve(&rig, "q", 10, 1000);
    assert_int_equal(code, DRAY_CORRUPT);
    assert_non_null(strstr(rig.error.text, path));
    rig_close(&rig);
    memset(bytes, 0xa5, 4096);
    put(bytes, n);
    refuses(DRAY_CONFIG, "first page is lost");
}

/* As a user who is not the superuser: run in a child. */
static int as_nobody(int32_t expected)
{
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(100);
        int32_t code = rig_open(&rig);
        rig_close(&rig);
        if (code != expected)
            fprintf(stderr, "got %d: %s\n", code, rig.error.text);
        _exit(code == expected ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_read_only(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    rig_close(&rig);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(chmod(path, 0444), 0);
    if (geteuid() != 0) {
        refuses(DRAY_DENIED, "cannot be written");
        return;
    }
    assert_int_equal(as_nobody(DRAY_DENIED), 0); /* may read it, may not write it */
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(as_nobody(DRAY_DENIED), 0); /* may not even read it */
    snprintf(rig.path, sizeof(rig.path), "%s/new/queue.db", folder);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(as_nobody(DRAY_DENIED), 0); /* may not make the folder */
}

static void test_network_file_system(void **state)
{
    (void)state;
    static const long magics[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xff534d42, 0xfe534d42,
        V9FS_MAGIC, CODA_SUPER_MAGIC, AFS_SUPER_MAGIC, 0x00c36400};
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        fake_magic = magics[i];
        refuses(DRAY_UNSUPPORTED, "network: true");
        assert_false(is_there(""));
    }
    rig.network = 1;
    assert_int_equal(rig_open(&rig), DRAY_OK);
}

/* A file that goes away under us takes no more pushes for success. */
static void test_moved_away(void **state)
{
    char away[SCRATCH_SIZE + 64];
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    snprintf(away, sizeof(away), "%s.old", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(rig_push(&rig, "q", "b", "1"), DRAY_IO);
    assert_non_null(strstr(rig.error.text, "moved or deleted"));
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(rig_push(&rig, "q", "b", "1"), DRAY_OK);
}

/* Another program in a transaction of its own: BUSY within the budget, nothing done. */
static void test_locked_by_another_program(void **state)
{
    sqlite3 *db;
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    rig.budget_ms = 50;
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_BUSY);
    assert_non_null(strstr(rig.error.text, "another program"));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
}

/* A first start that was ended early leaves an empty file: it becomes the queue. */
static void test_empty_file(void **state)
{
    (void)state;
    put("", 0);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_makes_folders_and_files_private),
        CASE(test_durability),
        CASE(test_folder),
        CASE(test_links_and_devices),
        CASE(test_linked_lock),
        CASE(test_not_a_database),
        CASE(test_another_program),
        CASE(test_newer_format),
        CASE(test_altered_tables),
        CASE(test_planted_trigger),
        CASE(test_damaged_pages),
        CASE(test_read_only),
        CASE(test_network_file_system),
        CASE(test_moved_away),
        CASE(test_locked_by_another_program),
        CASE(test_empty_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
