/* SPDX-License-Identifier: Apache-2.0 */
#include "dray/error.h"
#include "dray/text.h"
#include "text/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"500ms", 500}, {"90s", 90000}, {"5m", 300000}, {"1h", 3600000}, {"7d", 604800000},
        {"1.5h", 5400000}, {"3", 3000}, {"0", 0}, {"0.25", 250}, {"0.001s", 1},
        {"3653d", UINT64_C(315619200000)}};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t ms = 1;
        assert_int_equal(dray_parse_duration(good[i].text, &ms), DRAY_OK);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"", "s", "-1s", "+1s", " 1s", "1s ", "1 s", "1S", "1x", "1.s",
        ".5s", "1.5ms", "0.0001s", "1h30m", "1e3", "0x10", "3654d", "1.0000000000s",
        "18446744073709551616", "99999999999999999999999999d", "18446744073709551615d"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t ms = 77;
        assert_int_equal(dray_parse_duration(bad[i], &ms), DRAY_INVALID);
        assert_int_equal(ms, 77);
    }
    assert_int_equal(dray_parse_duration(NULL, NULL), DRAY_INVALID);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"5242880", 5242880}, {"5MiB", 5242880}, {"64KiB", 65536}, {"1GiB", 1073741824},
        {"5MB", 5000000}, {"1.5KiB", 1536}, {"0", 0}, {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t bytes = 1;
        assert_int_equal(dray_parse_size(good[i].text, &bytes), DRAY_OK);
        assert_int_equal(bytes, good[i].bytes);
    }
    static const char *const bad[] = {
        "", "5 MiB", "5mib", "-1", "1.5", "5M", "9223372036854775808", "99999999TiB"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t bytes = 77;
        assert_int_equal(dray_parse_size(bad[i], &bytes), DRAY_INVALID);
        assert_int_equal(bytes, 77);
    }
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1970-01-01T00:00:00Z", 0}, {"2026-12-01T09:00:00Z", INT64_C(1796115600000)},
        {"2026-12-01T10:00:00+01:00", INT64_C(1796115600000)},
        {"2026-12-01t03:30:00.1239-05:30", INT64_C(1796115600123)},
        {"2024-02-29T00:00:00z", INT64_C(1709164800000)},
        {"2000-02-29T23:59:59.9Z", INT64_C(951868799900)}, {"1969-12-31T23:59:59.999Z", -1},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000)}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = 1;
        assert_int_equal(dray_parse_time(good[i].text, &ms), DRAY_OK);
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"", "2026-12-01", "2026-12-01T09:00:00",
        "2026-12-01 09:00:00Z", "2026-12-01T09:00Z", "2026-13-01T09:00:00Z", "2026-00-01T09:00:00Z",
        "2026-02-29T09:00:00Z", "1900-02-29T09:00:00Z", "2026-04-31T09:00:00Z",
        "2026-12-00T09:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T09:60:00Z",
        "2026-12-01T09:00:60Z", "2026-12-01T09:00:00.Z", "2026-12-01T09:00:00+24:00",
        "2026-12-01T09:00:00+0100", "2026-12-01T09:00:00+01:60", "2026-12-01T09:00:00ZZ",
        "26-12-01T09:00:00Z", "2026-1-01T09:00:00Z", "+2026-12-01T09:00:00Z"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = 77;
        assert_int_equal(dray_parse_time(bad[i], &ms), DRAY_INVALID);
        assert_int_equal(ms, 77);
    }
}

/* Every third day of ten thousand years there and back, which no table of examples replaces. */
static void test_every_day(void **state)
{
    (void)state;
    char text[DRAY_TIME_SIZE];
    char before[DRAY_TIME_SIZE] = "";
    for (int64_t day = -719528; day < 2932896; day += 3) {
        int64_t ms = day * 86400000 + 43200001;
        int64_t back = 0;
        assert_int_equal(dray_parse_time(dray_format_time(ms, text), &back), DRAY_OK);
        assert_int_equal(back, ms);
        assert_true(strcmp(before, text) < 0);
        memcpy(before, text, sizeof(before));
    }
    assert_string_equal(dray_format_time(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(dray_format_time(INT64_C(1796115600123), text), "2026-12-01T09:00:00.123Z");
    assert_string_equal(dray_format_time(INT64_MIN, text), "-292275055-05-16T16:47:04.192Z");
    assert_string_equal(dray_format_time(INT64_MAX, text), "292278994-08-17T07:12:55.807Z");
}

static void test_duration_text(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"}, {450, "450ms"}, {999, "999ms"}, {1000, "1s"}, {1099, "1s"},
        {1500, "1.5s"}, {59999, "59.9s"}, {60000, "1m"}, {200000, "3m 20s"}, {7500000, "2h 5m"},
        {3600000, "1h"}, {604800000, "7d"}, {93600000, "1d 2h"}, {UINT64_MAX, "213503982334d 14h"}};
    char text[DRAY_TIME_SIZE];
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(dray_format_duration(rows[i].ms, text), rows[i].text);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {
        "driver", "job", "worker", "keep", "health", "limits", "concurrency"};
    assert_string_equal(dray_nearest("drvier", words, COUNT(words)), "driver");
    assert_string_equal(dray_nearest("wroker", words, COUNT(words)), "worker");
    assert_string_equal(dray_nearest("jobs", words, COUNT(words)), "job");
    assert_string_equal(dray_nearest("concurency", words, COUNT(words)), "concurrency");
    assert_string_equal(dray_nearest("conurrnecy", words, COUNT(words)), "concurrency");
    assert_string_equal(dray_nearest("kepe", words, COUNT(words)), "keep");
    assert_null(dray_nearest("kpee1", words, COUNT(words)));
    assert_null(dray_nearest("banana", words, COUNT(words)));
    assert_null(dray_nearest("", words, COUNT(words)));
    assert_null(dray_nearest("job", words, 0));
    char huge[1000];
    memset(huge, 'j', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = 0;
    assert_null(dray_nearest(huge, words, COUNT(words)));
}

static void test_names(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'a', sizeof(long_name));
    assert_null(name_check(long_name, 64));
    assert_string_equal(name_check(long_name, 65), "is longer than 64 bytes");
    assert_null(name_check("a", 1));
    assert_null(name_check("0.Az_:-", 7));
    assert_string_equal(name_check("", 0), "is empty");
    assert_non_null(name_check(".a", 2));
    assert_non_null(name_check("-a", 2));
    assert_non_null(name_check("a b", 3));
    assert_non_null(name_check("a/b", 3));
    assert_non_null(name_check("a\0b", 3));
    assert_non_null(name_check("\xc3\xa9", 2));

    char label[256];
    memset(label, 'x', sizeof(label));
    assert_null(label_check(label, 255));
    assert_non_null(label_check(label, 256));
    assert_non_null(label_check("", 0));
    assert_null(label_check("caf\xc3\xa9 \xe2\x82\xac", 9));
    assert_string_equal(label_check("a\nb", 3), "has a control character");
    assert_string_equal(label_check("a\x7f", 2), "has a control character");
    assert_string_equal(label_check("\xc2\x85", 2), "has a control character");
    assert_string_equal(label_check("\xc3", 1), "is not valid UTF-8");

    assert_null(driver_name_check("sqlite"));
    assert_null(driver_name_check("a_1"));
    assert_null(driver_name_check("abcdefghijklmnopqrstuvwxyz012345"));
    assert_non_null(driver_name_check("abcdefghijklmnopqrstuvwxyz0123456"));
    assert_non_null(driver_name_check(""));
    assert_non_null(driver_name_check("1a"));
    assert_non_null(driver_name_check("a-b"));
    assert_non_null(driver_name_check("../x"));
    assert_non_null(driver_name_check("Sqlite"));
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "abc", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf",
        "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82",
        "\xff", "a\xfe"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    assert_true(utf8_valid("a\0b", 3));
}

static void clean(const char *text, size_t len, size_t size, const char *expected)
{
    char out[64];
    memset(out, 'X', sizeof(out));
    size_t n = utf8_clean_tail(out, size, text, len);
    assert_string_equal(out, expected);
    assert_int_equal(n, strlen(expected));
    assert_true(n < size);
    assert_int_equal(out[size], 'X');
}

static void test_clean_tail(void **state)
{
    (void)state;
    clean("hello", 5, 6, "hello");
    clean("hello", 5, 5, "ello");
    clean("hello", 5, 1, "");
    clean("", 0, 4, "");
    clean("a\x1b[1m\r\n\tb\x7f", 10, 32, "a [1m \n\tb ");
    clean("\xff\xc3z\0y", 5, 32, "??z y");
    clean("x\xe2\x82\xac", 4, 5, "x\xe2\x82\xac");
    clean("x\xe2\x82\xac", 4, 4, "\xe2\x82\xac");
    clean("x\xe2\x82\xacy", 5, 4, "y");
    clean("x\xe2\x82\xacyz", 6, 5, "yz");
    clean("\xc2\x9b"
          "31m",
        5, 32, " 31m");
    char untouched = 'X';
    assert_int_equal(utf8_clean_tail(&untouched, 0, "a", 1), 0);
    assert_int_equal(untouched, 'X');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_duration_text),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_clean_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
