/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader refuses to load because somebody else could have put it there, or because it is
   no shared object at all. */
#include "scratch.h"
#include "store/loader.h"
#include "store/trust.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ENTRY "dray_driver_entry"

static char folder[SCRATCH_SIZE]; /* /tmp is sticky, and accepted */

static const char *in_folder(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* The first `max` bytes of one file as another. */
static void copy(const char *from, const char *to, size_t max)
{
    char buffer[4096];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    size_t n;
    while (max > 0 && (n = fread(buffer, 1, max < sizeof(buffer) ? max : sizeof(buffer), in)) > 0) {
        assert_int_equal(fwrite(buffer, 1, n, out), n);
        max -= n;
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0644), 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void assert_refused(const char *path, int code, const char *words)
{
    struct dray_error error = DRAY_ERROR_INIT;
    void (*entry)(void) = NULL;
    assert_int_equal(loader_load(path, ENTRY, &entry, &error), code);
    assert_null(entry);
    if (!strstr(error.text, words))
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
    assert_int_equal(error.code, code);
}

static void assert_loads(const char *path)
{
    struct dray_error error = DRAY_ERROR_INIT;
    void (*entry)(void) = NULL;
    if (loader_load(path, ENTRY, &entry, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    assert_non_null(entry);
}

static int is_loaded(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    return handle != NULL;
}

static int make_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(folder);
    return 0;
}

static void test_paths(void **state)
{
    (void)state;
    assert_refused("good.so", DRAY_INVALID, "not the absolute path");
    assert_refused("./good.so", DRAY_INVALID, "not the absolute path");
    assert_refused("/", DRAY_INVALID, "does not end in .so");
    assert_refused("", DRAY_INVALID, "does not end in .so");
    assert_refused("/.so", DRAY_NOTFOUND, "/.so does not exist");
    assert_refused("/tmp/x.so/", DRAY_INVALID, "does not end in .so");
    char longest[6000];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "/tmp/", 5);
    memcpy(longest + sizeof(longest) - 4, ".so", 4);
    assert_refused(longest, DRAY_INVALID, "not the absolute path");
    assert_refused(in_folder("absent.so"), DRAY_NOTFOUND, "absent.so does not exist");
    assert_refused(in_folder("none/x.so"), DRAY_NOTFOUND, "none/x.so does not exist");
}

static void test_modes(void **state)
{
    (void)state;
    const char *path = in_folder("modes.so");
    copy(PLUGIN_DIR "/good.so", path, SIZE_MAX);
    assert_int_equal(chmod(path, 0646), 0);
    assert_refused(path, DRAY_DENIED, "modes.so can be written to by others (mode 0646)");
    assert_int_equal(chmod(path, 0664), 0);
    assert_refused(path, DRAY_DENIED, "chmod go-w");
    assert_int_equal(chmod(path, 0644), 0);

    assert_int_equal(chmod(folder, 0777), 0);
    assert_refused(path, DRAY_DENIED, "can be written to by others (mode 0777)");
    assert_int_equal(chmod(folder, 0775), 0);
    assert_refused(path, DRAY_DENIED, folder);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_loads(path);
}

static void test_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    const char *path = in_folder("owner.so");
    copy(PLUGIN_DIR "/good.so", path, SIZE_MAX);
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_refused(path, DRAY_DENIED, "owner.so belongs to user 12345");
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(folder, 12345, 0), 0);
    assert_refused(path, DRAY_DENIED, "belongs to user 12345");
    assert_int_equal(chown(folder, 0, 0), 0);
    assert_loads(path);
}

static void test_links(void **state)
{
    (void)state;
    const char *target = in_folder("target.so");
    const char *link = in_folder("link.so");
    copy(PLUGIN_DIR "/good.so", target, SIZE_MAX);
    assert_int_equal(symlink(target, link), 0);
    assert_refused(link, DRAY_DENIED, "link.so is a symbolic link");
    /* Above the last part links are followed, and what they lead to is checked. */
    const char *across = in_folder("across");
    assert_int_equal(symlink(folder, across), 0);
    assert_loads(in_folder("across/target.so"));
    struct trusted_file file;
    assert_int_equal(trust_check(in_folder("across/target.so"), &file, NULL), DRAY_OK);
    assert_string_equal(file.path, target);
    assert_true(trust_same(&file));
    assert_int_equal(unlink(target), 0);
    assert_false(trust_same(&file));
}

static void test_kinds(void **state)
{
    (void)state;
    const char *path = in_folder("kind.so");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, DRAY_DENIED, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(path, DRAY_DENIED, "not a regular file");
    assert_int_equal(rmdir(path), 0);

    write_text(path, "#!/bin/sh\necho not an object, but long enough to have had a header "
                     "of sixty-four bytes\n");
    assert_refused(path, DRAY_CONFIG, "invalid ELF header; it is damaged or no shared object");
    write_text(path, "");
    assert_refused(path, DRAY_CONFIG, "file too short");
    /* Cut off anywhere: refused, and not a crash in the dynamic linker. */
    for (size_t len = 1; len < 9000; len += 611) {
        copy(PLUGIN_DIR "/good.so", path, len);
        assert_refused(path, DRAY_CONFIG, len < 64 ? "file too short" : "kind.so cannot be loaded");
    }
    copy(PLUGIN_DIR "/no_entry.so", path, SIZE_MAX);
    assert_refused(path, DRAY_CONFIG, "kind.so has no function dray_driver_entry");
}

/* Neither a text file for libtool nor a variable leads the loader elsewhere. */
static void test_traps(void **state)
{
    (void)state;
    copy(PLUGIN_DIR "/trap.so", in_folder("elsewhere.so"), SIZE_MAX);
    char text[1024];
    snprintf(text, sizeof(text),
        "# a libtool library file\ndlname='elsewhere.so'\nlibrary_names='elsewhere.so'\n"
        "installed=yes\nshouldnotlink=yes\nlibdir='%s'\n",
        folder);
    write_text(in_folder("prey.la"), text);
    assert_refused(in_folder("prey.la"), DRAY_INVALID, "does not end in .so");
    assert_refused(in_folder("prey.so"), DRAY_NOTFOUND, "prey.so does not exist");
    copy(PLUGIN_DIR "/good.so", in_folder("prey.so"), 700);
    assert_refused(in_folder("prey.so"), DRAY_CONFIG, "prey.so cannot be loaded");

    setenv("LTDL_LIBRARY_PATH", PLUGIN_DIR, 1);
    copy(PLUGIN_DIR "/good.so", in_folder("trap.so"), 700);
    assert_refused(in_folder("trap.so"), DRAY_CONFIG, "trap.so cannot be loaded");
    assert_refused(in_folder("old.so"), DRAY_NOTFOUND, "old.so does not exist");
    assert_string_equal(getenv("LTDL_LIBRARY_PATH"), PLUGIN_DIR);
    assert_false(is_loaded(in_folder("elsewhere.so")));
    assert_false(is_loaded(PLUGIN_DIR "/trap.so"));
    assert_false(is_loaded(PLUGIN_DIR "/old.so"));
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* One file under two names is one object; two files are two, with statics of their own. */
static void test_identity(void **state)
{
    (void)state;
    const char *one = in_folder("one.so");
    const char *same = in_folder("same.so");
    const char *two = in_folder("two.so");
    copy(PLUGIN_DIR "/good.so", one, SIZE_MAX);
    copy(PLUGIN_DIR "/good.so", two, SIZE_MAX);
    assert_int_equal(link(one, same), 0);
    void (*first)(void) = NULL;
    void (*second)(void) = NULL;
    void (*third)(void) = NULL;
    assert_int_equal(loader_load(one, ENTRY, &first, NULL), DRAY_OK);
    int before = open_descriptors();
    assert_int_equal(loader_load(same, ENTRY, &second, NULL), DRAY_OK);
    assert_int_equal(loader_load(two, ENTRY, &third, NULL), DRAY_OK);
    assert_true(first == second);
    assert_true(first != third);
    assert_int_equal(open_descriptors(), before);

    /* Loaded is loaded: a file that was replaced is taken up by the next process. */
    assert_int_equal(unlink(one), 0);
    copy(PLUGIN_DIR "/trap.so", one, SIZE_MAX);
    assert_int_equal(loader_load(one, ENTRY, &second, NULL), DRAY_OK);
    assert_true(first == second);
}

static void run_probe(const char *path, char *line, size_t size)
{
    FILE *out = popen(path, "r");
    assert_non_null(out);
    assert_non_null(fgets(line, (int)size, out));
    pclose(out);
}

/* Whoever runs a set-uid program has made its environment and its configuration. */
static void test_set_uid(void **state)
{
    (void)state;
    char line[4096];
    char expected[512];
    setenv("DRAY_DRIVER_PATH", PLUGIN_DIR ":" RUNNER_DIR, 1);
    run_probe(SECURE_PROBE, line, sizeof(line));
    assert_non_null(strstr(line, "secure=0 "));
    assert_non_null(strstr(line, " find=0 load=0 command=0"));
    if (geteuid() != 0)
        skip();
    const char *path = in_folder("probe");
    copy(SECURE_PROBE, path, SIZE_MAX);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_int_equal(chmod(path, 04755), 0);
    assert_int_equal(mkdir(in_folder("dray"), 0755), 0); /* not even this one beside it */
    run_probe(path, line, sizeof(line));
    if (strstr(line, "secure=0 "))
        skip(); /* the folder is mounted nosuid */
    snprintf(expected, sizeof(expected), "secure=1 folder=%s find=%d load=%d command=%d\n",
        INSTALLED_FOLDER, DRAY_NOTFOUND, DRAY_DENIED, DRAY_DENIED);
    assert_string_equal(line, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_traps),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_set_uid),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
