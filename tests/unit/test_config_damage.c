/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations with damage at every place: cut, changed, spliced. Whatever comes, there is an
 * answer within bounded time, and an error names the place. Meant for a build with sanitizers.
 */
#include "config/config.h"
#include "dray/driver.h"
#include "unit/config_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *const names[] = {"sqlite", "redis", "custom", "queue"};

static const struct dray_option table[] = {
    {.type = DRAY_OPTION_PATH, .name = "path", .fallback = "var/queue.db"},
    {.type = DRAY_OPTION_CONNECTION, .name = "connection", .fallback = "default"},
    {.type = DRAY_OPTION_STRING, .name = "prefix", .fallback = "dray"},
};
static const struct dray_driver driver = {
    .name = "any", .options = table, .noptions = COUNT(table), .option_size = sizeof(table[0])};

static int ignore_row(const struct dray_config_row *row, void *user)
{
    (void)user;
    return !row->key || !row->value || !row->origin;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One text, all the way. Returns whether it was accepted. */
static int survive(const char *text)
{
    struct config *config = NULL;
    struct option_values *values = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options options = {.yaml = text, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    double before = seconds();
    int code = config_read(&config, &options, &error);
    if (code == DRAY_OK) {
        int checked = option_values_read(&values, config, &driver, &error);
        assert_true(checked == DRAY_OK || checked == DRAY_CONFIG || checked == DRAY_NOTFOUND);
        assert_int_equal(config_each(config, values, &driver, ignore_row, NULL), 0);
        option_values_free(values);
        config_free(config);
    } else {
        assert_int_equal(code, DRAY_CONFIG);
        assert_null(config);
        assert_int_equal(strncmp(error.text, "yaml", 4), 0);
        assert_true(strlen(error.text) > 12);
    }
    assert_true(seconds() - before < 1);
    return code == DRAY_OK;
}

static char *shipped(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/config/%s.yaml", getenv("DRAY_SOURCE"), name);
    return file_text(path);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char *text = shipped(names[i]);
        assert_true(survive(text));
        for (size_t len = strlen(text); len-- > 0;) {
            text[len] = 0;
            survive(text);
        }
        free(text);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Pieces that mean something to YAML, to variables, or to a schema. */
static const char *const pieces[] = {"{", "}", "[", "]", ":", ": ", "- ", "#", "&a", "*a", "!t",
    "<<: ", "? ", "|", ">", "'", "\"", "\\", "\n", "\n  ", "\t", "${", "}", "${X:-", "$${", "~",
    "null", "true", "0", "-1", "99999999999999999999", "1e9", "1.5h", "MiB", "%", "@", "---\n",
    "...\n", "\xff", "\xc3\xa9", "\xef\xbb\xbf", "\x01", ",", "redis://[", "://", "queue:", "a.b"};

static void test_spliced(void **state)
{
    (void)state;
    uint64_t seed = 7;
    unsigned accepted = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        char *text = shipped(names[i]);
        size_t len = strlen(text);
        char *other = malloc(len + 400);
        for (int round = 0; round < 3000; round++) {
            memcpy(other, text, len + 1);
            size_t now = len;
            for (uint64_t n = 1 + next(&seed) % 3; n > 0; n--) {
                const char *piece = pieces[next(&seed) % COUNT(pieces)];
                size_t size = strlen(piece);
                size_t at = next(&seed) % (now + 1);
                size_t cut = next(&seed) % 4;
                if (cut > now - at)
                    cut = now - at;
                memmove(other + at + size, other + at + cut, now - at - cut + 1);
                for (size_t j = 0; j < size; j++)
                    other[at + j] = piece[j];
                now += size - cut;
            }
            accepted += (unsigned)survive(other);
        }
        free(other);
        free(text);
    }
    /* Damage in comments and texts is none; if nothing or all passed, this would test nothing. */
    assert_in_range(accepted, 500, 11500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_spliced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
