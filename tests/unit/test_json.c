/* SPDX-License-Identifier: Apache-2.0 */
/* json_check against jansson, which is what handlers parse payloads with. */
#include "dray/error.h"
#include "text/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const char *const documents[] = {
    "null",
    "true",
    " false ",
    "0",
    "-0",
    "-12.5e+3",
    "1E-7",
    "\"\"",
    "\"plain text that is longer than one word\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\\uFFFF\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\x7f\"",
    "\"1234567\xc3\xa9 12345678\\n1234567\"",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[1,2 , 3]",
    "[[],[[]],{}]",
    "{\"a\":1}",
    "{ \"a\" : [ true , null ] , \"b\" : { \"c\" : \"d\" } }",
    "\t\r\n{\"to\":\"ada@example.org\",\"n\":[1,-2,3.5],\"deep\":{\"x\":{\"y\":[]}}}\n",
    "{\"a\":1,\"a\":2}",
};

/* Jansson refuses these although they are JSON: it converts where json_check only looks. */
static int is_number_range(const json_error_t *problem)
{
    return json_error_code(problem) == json_error_numeric_overflow;
}

static void compare(const char *text, size_t len)
{
    json_error_t problem;
    json_t *parsed = json_loadb(text, len, JSON_DECODE_ANY, &problem);
    size_t at = SIZE_MAX;
    const char *refusal = json_check(text, len, &at);
    /* A zero byte is never JSON; jansson takes one behind the value for the end of the text. */
    if (memchr(text, 0, len))
        parsed = (json_decref(parsed), NULL);
    if (!!parsed == !refusal || (!parsed && is_number_range(&problem))) {
        assert_true(!refusal || at <= len);
    } else {
        print_error("[%.*s] jansson: %s; json_check: %s\n", (int)len, text,
            parsed ? "yes" : problem.text, refusal ? refusal : "yes");
        fail();
    }
    json_decref(parsed);
}

/* Every byte of every document replaced by every value, removed, doubled; every prefix. */
static void test_mutations(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof(documents) / sizeof(documents[0]); d++) {
        const char *document = documents[d];
        size_t len = strlen(document);
        /* On the heap and without a zero behind it, so that a sanitizer sees one byte too many. */
        for (size_t cut = 0; cut <= len; cut++) {
            char *text = malloc(cut ? cut : 1);
            memcpy(text, document, cut);
            compare(text, cut);
            for (size_t i = cut; cut == len && i-- > 0;) {
                for (int c = 0; c < 256; c++) {
                    text[i] = (char)c;
                    compare(text, len);
                }
                text[i] = document[i];
            }
            free(text);
        }
        char *text = malloc(len + 1);
        for (size_t i = 0; i < len; i++) {
            memcpy(text, document, i);
            memcpy(text + i, document + i + 1, len - i - 1);
            compare(text, len - 1);
            memcpy(text, document, i + 1);
            memcpy(text + i + 1, document + i, len - i);
            compare(text, len + 1);
        }
        free(text);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Random strings of the pieces that JSON is made of. */
static void test_random_pieces(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"", "1", "-", "0",
        ".", "e", "true", "null", " ", "\\", "\\u00e9", "\\ud800", "\\udc00", "\xc3", "\xa9",
        "\xe0\xa0\x80", "\xed\xa0\x80", "\"k\":", "[1]", "{}"};
    uint64_t seed = 1;
    for (int round = 0; round < 300000; round++) {
        char text[128];
        size_t len = 0;
        for (uint64_t n = next(&seed) % 9; n > 0; n--) {
            const char *piece = pieces[next(&seed) % (sizeof(pieces) / sizeof(pieces[0]))];
            while (*piece)
                text[len++] = *piece++;
        }
        compare(text, len);
    }
}

static void nest(char *text, size_t depth, char open, char close)
{
    memset(text, open, depth);
    memset(text + depth, close, depth);
    text[2 * depth] = 0;
}

static void test_depth(void **state)
{
    (void)state;
    char text[4 * JSON_DEPTH_MAX];
    nest(text, JSON_DEPTH_MAX, '[', ']');
    assert_null(json_check(text, strlen(text), NULL));
    nest(text, JSON_DEPTH_MAX + 1, '[', ']');
    size_t at = 0;
    assert_string_equal(json_check(text, strlen(text), &at), "nested more than 32 deep");
    assert_int_equal(at, JSON_DEPTH_MAX);

    size_t len = 1000000;
    char *many = malloc(len);
    memset(many, '[', len);
    assert_non_null(json_check(many, len, &at));
    assert_int_equal(at, JSON_DEPTH_MAX);
    free(many);
}

static void test_number_range_is_left_alone(void **state)
{
    (void)state;
    const char *numbers[] = {"1e999", "-1e999", "99999999999999999999"};
    for (size_t i = 0; i < 3; i++) {
        assert_null(json_check(numbers[i], strlen(numbers[i]), NULL));
        char *out = NULL;
        size_t len = 0;
        assert_int_equal(json_canonical(numbers[i], strlen(numbers[i]), &out, &len), DRAY_INVALID);
        assert_null(out);
    }
}

static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem;
        size_t at;
    } rows[] = {
        {"", "the text ends where a value should be", 0},
        {"{\"a\":1,}", "expected a key in double quotes", 7},
        {"{\"a\" 1}", "expected : after a key", 5},
        {"[1 2]", "expected , or ]", 3},
        {"{\"a\":1 2}", "expected , or }", 7},
        {"[1,]", "expected a JSON value", 3},
        {"\"abc", "a string is not closed", 0},
        {"\"a\\x\"", "a string has an escape that JSON does not know", 2},
        {"\"a\tb\"", "a string has a control character that is not escaped", 2},
        {"\"\\ud800x\"", "an escape is half of a surrogate pair", 1},
        {"\"\\u0000\"", "\\u0000 is not allowed", 1},
        {"\"\\u00g0\"", "\\u needs four hexadecimal digits", 1},
        {"\"\xff\"", "a string is not valid UTF-8", 1},
        {"1 x", "there is more after the value", 2},
        {"01", "a number begins with 0", 0},
        {"1.", "a number has no digit behind its point", 0},
        {"1e", "a number has no digit in its exponent", 0},
        {"-", "a minus sign without a number", 0},
        {"nul", "expected a JSON value", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t at = SIZE_MAX;
        const char *problem = json_check(rows[i].text, strlen(rows[i].text), &at);
        assert_non_null(problem);
        assert_string_equal(problem, rows[i].problem);
        assert_int_equal(at, rows[i].at);
    }
}

static void test_canonical(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {" { \"b\" : 1 , \"a\" : [ 1.5 , \"\\u00e9\\/\" ] } ",
            "{\"a\":[1.5,\"\xc3\xa9/\"],\"b\":1}"},
        {"null", "null"},
        {"\"x\"", "\"x\""},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char *out = NULL;
        size_t len = 0;
        assert_int_equal(json_canonical(pairs[i][0], strlen(pairs[i][0]), &out, &len), DRAY_OK);
        assert_string_equal(out, pairs[i][1]);
        assert_int_equal(len, strlen(pairs[i][1]));
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_random_pieces),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_number_range_is_left_alone),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
