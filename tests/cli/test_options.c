/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser of the command: cli/options.h. */
#include "../../cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct values {
    int flag;
    const char *text;
    const char *maybe;
    const char *colour;
    struct option_list list;
    struct option_number number;
    struct option_number wait;
};

#define AT(member) offsetof(struct values, member)

static const char *const colours[] = {"red", "green", NULL};

static const struct option options[] = {
    {"flag", 'f', OPTION_FLAG, AT(flag), NULL, "", 0, 0, NULL},
    {"text", 't', OPTION_TEXT, AT(text), "TEXT", "", 0, 0, NULL},
    {"maybe", 0, OPTION_OPTIONAL, AT(maybe), "TEXT", "", 0, 0, NULL},
    {"colour", 0, OPTION_CHOICE, AT(colour), "C", "", 0, 0, colours},
    {"list", 0, OPTION_LIST, AT(list), "TEXT", "", 0, 0, NULL},
    {"number", 'n', OPTION_NUMBER, AT(number), "N", "", 1, 9, NULL},
    {"wait", 0, OPTION_DURATION, AT(wait), "D", "", 0, 0, NULL},
    {NULL, 0, 0, 0, NULL, NULL, 0, 0, NULL},
};

/* Reads `line`, split at blanks, into `values`; words stay in *words. */
static char words_text[256];
static char *words[16];
static size_t nwords;
static struct option_error error;

static int read_line(const char *line, struct values *values, int stop_at_word, size_t *nread)
{
    memset(values, 0, sizeof(*values));
    memset(&error, 0, sizeof(error));
    assert_true(strlen(line) < sizeof(words_text));
    memcpy(words_text, line, strlen(line) + 1);
    size_t n = 0;
    char *rest = words_text;
    for (char *word; (word = strsep(&rest, " ")) && n < 16;)
        words[n++] = word;
    struct option_table table = {options, values};
    return options_read(&table, 1, words, n, stop_at_word, &nwords, nread, &error);
}

static void forms_of_values(void **state)
{
    (void)state;
    struct values v;
    assert_int_equal(read_line("a --text x b --number=3 -f --wait 1.5s", &v, 0, NULL), 0);
    assert_int_equal(nwords, 2);
    assert_string_equal(words[0], "a");
    assert_string_equal(words[1], "b");
    assert_string_equal(v.text, "x");
    assert_int_equal(v.number.value, 3);
    assert_int_equal(v.number.given, 1);
    assert_int_equal(v.flag, 1);
    assert_int_equal(v.wait.value, 1500);
    assert_int_equal(read_line("--number 1 -n 9", &v, 0, NULL), 0);
    assert_int_equal(v.number.value, 9);
    assert_int_equal(read_line("-ft x", &v, 0, NULL), 0);
    assert_string_equal(v.text, "x");
    assert_int_equal(read_line("-ftx -n 4", &v, 0, NULL), 0);
    assert_string_equal(v.text, "x");
    assert_int_equal(v.number.value, 4);
}

static void optional_values_stand_behind_an_equals_sign(void **state)
{
    (void)state;
    struct values v;
    assert_int_equal(read_line("--maybe word", &v, 0, NULL), 0);
    assert_string_equal(v.maybe, "");
    assert_int_equal(nwords, 1);
    assert_int_equal(read_line("--maybe=key", &v, 0, NULL), 0);
    assert_string_equal(v.maybe, "key");
    assert_int_equal(read_line("word", &v, 0, NULL), 0);
    assert_null(v.maybe);
}

static void lists_repeat(void **state)
{
    (void)state;
    struct values v;
    assert_int_equal(read_line("--list a --list=b", &v, 0, NULL), 0);
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.at[0], "a");
    assert_string_equal(v.list.at[1], "b");
    struct option_table table = {options, &v};
    options_free(&table);
    assert_null(v.list.at);
}

static void words_that_begin_with_a_dash(void **state)
{
    (void)state;
    struct values v;
    assert_int_equal(read_line("- -5 -- --flag -f", &v, 0, NULL), 0);
    assert_int_equal(nwords, 4);
    assert_string_equal(words[0], "-");
    assert_string_equal(words[1], "-5");
    assert_string_equal(words[2], "--flag");
    assert_string_equal(words[3], "-f");
    assert_int_equal(v.flag, 0);
}

static void stops_at_the_first_word(void **state)
{
    (void)state;
    struct values v;
    size_t nread = 0;
    assert_int_equal(read_line("-f verb --unknown", &v, 1, &nread), 0);
    assert_int_equal(nread, 1);
    assert_int_equal(nwords, 0);
    assert_int_equal(v.flag, 1);
}

static void refused(const char *line, const char *said)
{
    struct values v;
    assert_int_equal(read_line(line, &v, 0, NULL), -1);
    assert_string_equal(error.text, said);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refused("--tetx", "unknown option --tetx; did you mean --text?");
    refused("--zzzzzz", "unknown option --zzzzzz");
    refused("-z", "unknown option -z");
    refused("--text", "--text needs a value: --text TEXT");
    refused("-t", "-t needs a value: -t TEXT");
    refused("--flag=1", "--flag takes no value");
    refused("--number 0", "--number: '0' is not a whole number from 1 to 9");
    refused("--number 10", "--number: '10' is not a whole number from 1 to 9");
    refused("--number 3x", "--number: '3x' is not a whole number from 1 to 9");
    refused("--number -3", "--number: '-3' is not a whole number from 1 to 9");
    refused("--wait soon",
        "--wait: 'soon' is not a duration; write 500ms, 90s, 5m, 1h or 7d (ten years at most)");
    refused("--colour grene", "--colour: not 'grene'; did you mean green?");
    refused("--colour blue", "--colour: not 'blue' but one of red, green");
}

static void numbers(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_int_equal(parse_number("18446744073709551615", 0, 0, &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(parse_number("18446744073709551616", 0, 0, &n), -1);
    assert_int_equal(parse_number("", 0, 0, &n), -1);
    assert_int_equal(parse_number(" 1", 0, 0, &n), -1);
    assert_int_equal(parse_number("+1", 0, 0, &n), -1);
    assert_true(n == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_values),
        cmocka_unit_test(optional_values_stand_behind_an_equals_sign),
        cmocka_unit_test(lists_repeat),
        cmocka_unit_test(words_that_begin_with_a_dash),
        cmocka_unit_test(stops_at_the_first_word),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
