/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the configuration fails once: the answer is NOMEM, and nothing is lost. The
   linker leads this code's calls here; those of other libraries stay as they are. */
#include "config/config.h"
#include "dray/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static long calls_left; /* until one fails */

void *__wrap_calloc(size_t count, size_t size)
{
    return calls_left-- == 0 ? NULL : __real_calloc(count, size);
}

static const struct dray_option table[] = {
    {.type = DRAY_OPTION_PATH, .name = "path", .fallback = "var/queue.db"},
    {.type = DRAY_OPTION_CONNECTION, .name = "connection", .fallback = "default"},
    {.type = DRAY_OPTION_INTEGER, .name = "capacity", .fallback = "1000000"},
    {.type = DRAY_OPTION_LIST, .name = "words", .fallback = "[a, b]"},
};
static const struct dray_driver driver = {.name = "memory",
    .options = table,
    .noptions = sizeof(table) / sizeof(table[0]),
    .option_size = sizeof(table[0])};

static int count_row(const struct dray_config_row *row, void *user)
{
    (void)row;
    ++*(unsigned *)user;
    return 0;
}

/* Reads, checks and shows; *rows counts what was shown. */
static int run(const struct dray_options *options, unsigned *rows, struct dray_error *error)
{
    struct config *config = NULL;
    struct option_values *values = NULL;
    *rows = 0;
    int code = config_read(&config, options, error);
    if (code == DRAY_OK)
        code = option_values_read(&values, config, &driver, error);
    if (code == DRAY_OK)
        code = config_each(config, values, &driver, count_row, rows);
    option_values_free(values);
    config_free(config);
    return code;
}

static void test_each_allocation(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/config/queue.yaml", getenv("DRAY_SOURCE"));
    static const struct dray_setting settings[] = {{"queue.driver", "memory"},
        {"queue.worker.queues", "[a, b]"}, {"queue.memory.path", "${DRAY_TEST_UNSET:-a}"},
        {"handlers.a", "{command: [x], options: {a: [1, x, {b: ~}]}, backoff: {base: 2s}}"}};
    struct dray_options options = {.config = path, .settings = settings, .nsettings = 4};
    unsigned rows;
    long failed = 0;
    for (long k = 0;; k++) {
        struct dray_error error = DRAY_ERROR_INIT;
        calls_left = k;
        int code = run(&options, &rows, &error);
        if (calls_left >= 0) {
            assert_int_equal(code, DRAY_OK);
            break;
        }
        assert_int_equal(code, DRAY_NOMEM);
        failed++;
    }
    assert_true(failed > 300);
    assert_true(rows > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation),
    };
    unsetenv("QUEUE_DRIVER");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
