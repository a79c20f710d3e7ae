/* SPDX-License-Identifier: Apache-2.0 */
/* The exit status of every answer: docs/cli.md. */
#include "../../cli/exit.h"

#include <dray/error.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void answers_of_an_open_store(void **state)
{
    (void)state;
    assert_int_equal(exit_of(DRAY_OK), 0);
    assert_int_equal(exit_of(DRAY_EXISTS), 0);
    assert_int_equal(exit_of(DRAY_FAILED), 1);
    assert_int_equal(exit_of(DRAY_FULL), 1);
    assert_int_equal(exit_of(DRAY_INVALID), 2);
    assert_int_equal(exit_of(DRAY_LIMIT), 2);
    assert_int_equal(exit_of(DRAY_NOTFOUND), 3);
    assert_int_equal(exit_of(DRAY_EMPTY), 4);
    assert_int_equal(exit_of(DRAY_DUPLICATE), 5);
    assert_int_equal(exit_of(DRAY_CONFLICT), 5);
    assert_int_equal(exit_of(DRAY_UNREACHABLE), 69);
    assert_int_equal(exit_of(DRAY_BUSY), 69);
    assert_int_equal(exit_of(DRAY_NOMEM), 70);
    assert_int_equal(exit_of(DRAY_UNKNOWN), 74);
    assert_int_equal(exit_of(DRAY_POISONED), 74);
    assert_int_equal(exit_of(DRAY_CORRUPT), 74);
    assert_int_equal(exit_of(DRAY_IO), 74);
    assert_int_equal(exit_of(DRAY_DENIED), 77);
    assert_int_equal(exit_of(DRAY_CONFIG), 78);
}

static void what_prevents_opening(void **state)
{
    (void)state;
    static const int configuration[] = {
        DRAY_CONFIG, DRAY_NOTFOUND, DRAY_INVALID, DRAY_UNSUPPORTED, DRAY_CONFLICT};
    for (size_t i = 0; i < sizeof(configuration) / sizeof(configuration[0]); i++)
        assert_int_equal(exit_of_open(configuration[i]), 78);
    assert_int_equal(exit_of_open(DRAY_DENIED), 77);
    assert_int_equal(exit_of_open(DRAY_UNREACHABLE), 69);
    assert_int_equal(exit_of_open(DRAY_IO), 74);
    assert_int_equal(exit_of_open(DRAY_CORRUPT), 74);
}

/* Each code that error.h names is in the table, by intention: only these are internal errors. */
static void no_code_is_forgotten(void **state)
{
    (void)state;
    static const int internal[] = {DRAY_CLOSED, DRAY_FORKED, DRAY_NOMEM};
    for (int code = 0; code < 128; code++) {
        if (strcmp(dray_code_name(code), dray_code_name(-1)) == 0)
            continue;
        int expected = 0;
        for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
            expected |= internal[i] == code;
        assert_int_equal(exit_of(code) == 70, expected);
    }
    assert_int_equal(exit_of(-1), 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_an_open_store),
        cmocka_unit_test(what_prevents_opening),
        cmocka_unit_test(no_code_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
