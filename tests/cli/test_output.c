/* SPDX-License-Identifier: Apache-2.0 */
/* What the command prints: escaping, JSON, and payloads cut out of lines. */
#include "../../cli/escape.h"
#include "../../cli/json_member.h"
#include "../../cli/json_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void shows(const char *text, const char *as)
{
    size_t len = strlen(text);
    char out[128];
    assert_true(escaped_len(text, len) < sizeof(out));
    escape(out, text, len);
    assert_string_equal(out, as);
    assert_int_equal(escaped_len(text, len), strlen(as));
}

static void terminals_see_no_control_characters(void **state)
{
    (void)state;
    shows(
        "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb4", "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb4");
    shows("\033[2Jgone", "\\x1b[2Jgone");
    shows("a\tb\nc\rd\x7f", "a\\tb\\nc\\x0dd\\x7f");
    shows("\xc2\x9b"
          "31m",
        "\\xc2\\x9b31m");
    shows("cut \xe2\x82", "cut \\xe2\\x82");
    shows("\xc0\xaf\xed\xa0\x80\xf5", "\\xc0\\xaf\\xed\\xa0\\x80\\xf5");
}

static void columns_are_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_columns("\xc3\xa9t\xc3\xa9"), 3);
    assert_int_equal(utf8_columns(""), 0);
}

/* What json_out writes for one member. */
static char *member(void (*put)(struct json_out *out, const void *arg), const void *arg)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    struct json_out out;
    json_start(&out, file);
    json_object(&out, NULL);
    put(&out, arg);
    json_end_object(&out);
    json_finish(&out);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void put_text(struct json_out *out, const void *arg)
{
    json_text(out, "k", arg);
}

static void put_value(struct json_out *out, const void *arg)
{
    json_value(out, "k", arg, strlen(arg));
}

static void put_all(struct json_out *out, const void *arg)
{
    (void)arg;
    json_int(out, "i", -1);
    json_uint(out, "u", UINT64_MAX);
    json_bool(out, "b", 1);
    json_rate(out, "r", 0.5);
    json_rate(out, "none", -1);
    json_time(out, "t", 1700000000123);
    json_time(out, "never", 0);
    json_array(out, "a");
    json_text(out, NULL, "x");
    json_text(out, NULL, NULL);
    json_end_array(out);
    json_object(out, "o");
    json_end_object(out);
    json_null(out, "n");
}

static void check(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

static void json_strings(void **state)
{
    (void)state;
    check(member(put_text, "a\"\\\n\t\033\x7f"), "{\"k\": \"a\\\"\\\\\\n\\t\\u001b\\u007f\"}\n");
    check(member(put_text, "\xc2\x9b\xff\xc3\xa9"), "{\"k\": \"\\u009b\\ufffd\xc3\xa9\"}\n");
}

static void json_values_keep_their_digits(void **state)
{
    (void)state;
    check(member(put_value, "{\"b\":1.0,\n \"a\":123456789012345678901234567890}"),
        "{\"k\": {\"b\":1.0,  \"a\":123456789012345678901234567890}}\n");
    check(member(put_value, ""), "{\"k\": null}\n");
}

static void json_kinds(void **state)
{
    (void)state;
    check(member(put_all, NULL),
        "{\"i\": -1, \"u\": 18446744073709551615, \"b\": true, \"r\": 0.5, \"none\": null, "
        "\"t\": \"2023-11-14T22:13:20.123Z\", \"never\": null, \"a\": [\"x\", null], \"o\": {}, "
        "\"n\": null}\n");
}

static void finds(const char *text, const char *key, const char *expected)
{
    const char *value = NULL;
    size_t len = 0;
    int found = json_member(text, strlen(text), key, &value, &len);
    if (!expected) {
        assert_int_equal(found, -1);
        return;
    }
    assert_int_equal(found, 0);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(value, expected, len);
}

static void members_are_cut_out_byte_for_byte(void **state)
{
    (void)state;
    finds("{\"type\":\"t\",\"payload\":{\"a\":[1,{\"payload\":2}]},\"id\":\"x\"}", "payload",
        "{\"a\":[1,{\"payload\":2}]}");
    finds(" { \"payload\" :  1.50 , \"type\" : \"t\" } ", "payload", "1.50");
    finds("{\"payload\":\"a,}\\\"]\"}", "payload", "\"a,}\\\"]\"");
    finds("{\"a\":\"payload\",\"b\":{\"payload\":1}}", "payload", NULL);
    finds("{\"payload\":null}", "payload", "null");
    finds("{}", "payload", NULL);
    finds("{\"payload\":[]\n}\n", "payload", "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminals_see_no_control_characters),
        cmocka_unit_test(columns_are_characters),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(json_values_keep_their_digits),
        cmocka_unit_test(json_kinds),
        cmocka_unit_test(members_are_cut_out_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
