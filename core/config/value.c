/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include "config/file.h"
#include "dray/text.h"
#include "host/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is read, for messages. */
struct subject {
    const struct reader *reader;
    const struct node *node;
    const char *section;
    const struct dray_option *row;
};

int reader_no_memory(const struct reader *reader)
{
    return error_set(reader->error, DRAY_NOMEM, 0, "out of memory");
}

/* "queue.worker.delay must be `expected`, not `what is there`". */
static int refuse(const struct subject *subject, const char *expected)
{
    const struct node *node = subject->node;
    const char *dot = subject->section[0] ? "." : "";
    if (node->type != NODE_SCALAR)
        return node_error(subject->reader->error, node, "%s%s%s must be %s, not a %s",
            subject->section, dot, subject->row->name, expected,
            node->type == NODE_MAP ? "map" : "list");
    if (subject->row->type == DRAY_OPTION_SECRET)
        return node_error(subject->reader->error, node, "%s%s%s must be %s", subject->section, dot,
            subject->row->name, expected);
    return node_error(subject->reader->error, node, "%s%s%s must be %s, not %s%.60s%s",
        subject->section, dot, subject->row->name, expected, node->quoted ? "the text \"" : "",
        node->text, node->quoted ? "\"" : "");
}

static int has_range(const struct dray_option *row)
{
    return row->min != 0 || row->max != 0;
}

static int in_range(const struct dray_option *row, int64_t number)
{
    return !has_range(row) || (number >= row->min && number <= row->max);
}

int value_integer(const char *text, int64_t *number)
{
    int negative = *text == '-';
    text += negative;
    if (*text < '0' || *text > '9' || (text[0] == '0' && text[1]))
        return -1;
    int64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        int64_t digit = *text - '0';
        if (__builtin_mul_overflow(value, INT64_C(10), &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return -1;
    }
    *number = value;
    return *text ? -1 : 0;
}

/* "0.25", whatever the locale's decimal point is. At most nine digits behind it. */
static int parse_ratio(const char *text, double *real)
{
    if (*text != '0' && *text != '1')
        return -1;
    int64_t scale = 1;
    int64_t part = *text++ - '0';
    if (*text == '.') {
        text++;
        if (!*text)
            return -1;
        for (; *text >= '0' && *text <= '9' && scale < 1000000000; text++) {
            part = part * 10 + (*text - '0');
            scale *= 10;
        }
    }
    if (*text || part > scale)
        return -1;
    *real = (double)part / (double)scale;
    return 0;
}

static int is_word(const struct subject *subject)
{
    return subject->row->choices && strcmp(subject->node->text, subject->row->choices) == 0;
}

static int read_integer(const struct subject *subject, struct value *value)
{
    const struct dray_option *row = subject->row;
    const struct node *node = subject->node;
    if (node->type == NODE_SCALAR && is_word(subject)) {
        value->number = -1;
        return DRAY_OK;
    }
    if (node->type == NODE_SCALAR && !node->quoted && !value_integer(node->text, &value->number) &&
        in_range(row, value->number))
        return DRAY_OK;
    char expected[160];
    const char *word = row->choices ? row->choices : "";
    const char *or_word = row->choices ? " or " : "";
    if (node->type == NODE_SCALAR && node->quoted)
        snprintf(expected, sizeof(expected), "a whole number without quotes%s%s", or_word, word);
    else if (has_range(row) && row->max == INT64_MAX)
        snprintf(expected, sizeof(expected), "a whole number of at least %" PRId64 "%s%s", row->min,
            or_word, word);
    else if (has_range(row))
        snprintf(expected, sizeof(expected), "a whole number from %" PRId64 " to %" PRId64 "%s%s",
            row->min, row->max, or_word, word);
    else
        snprintf(expected, sizeof(expected), "a whole number%s%s", or_word, word);
    return refuse(subject, expected);
}

static int read_ratio(const struct subject *subject, struct value *value)
{
    const struct node *node = subject->node;
    if (node->type == NODE_SCALAR && is_word(subject)) {
        value->real = -1;
        return DRAY_OK;
    }
    if (node->type == NODE_SCALAR && !node->quoted && !parse_ratio(node->text, &value->real))
        return DRAY_OK;
    char expected[100];
    snprintf(expected, sizeof(expected), "a number from 0 to 1 such as 0.25%s%s",
        subject->row->choices ? " or " : "", subject->row->choices ? subject->row->choices : "");
    return refuse(subject, expected);
}

static int read_amount(const struct subject *subject, struct value *value)
{
    const struct dray_option *row = subject->row;
    const struct node *node = subject->node;
    int is_duration = row->type == DRAY_OPTION_DURATION;
    uint64_t amount = 0;
    int code = DRAY_INVALID;
    if (node->type == NODE_SCALAR)
        code = is_duration ? dray_parse_duration(node->text, &amount)
                           : dray_parse_size(node->text, &amount);
    value->number = (int64_t)amount;
    if (code == DRAY_OK && in_range(row, value->number))
        return DRAY_OK;
    const char *kind = is_duration ? "a duration such as 500ms, 90s, 5m, 1h or 7d"
                                   : "a size such as 64KiB, 5MiB or a number of bytes";
    if (code != DRAY_OK)
        return refuse(subject, kind);
    char least[DRAY_TIME_SIZE];
    char most[DRAY_TIME_SIZE];
    char expected[120];
    value_show_amount(row->type, (uint64_t)row->min, least, sizeof(least));
    value_show_amount(row->type, (uint64_t)row->max, most, sizeof(most));
    if (row->max == INT64_MAX)
        snprintf(expected, sizeof(expected), "at least %s", least);
    else
        snprintf(expected, sizeof(expected), "from %s to %s", least, most);
    return refuse(subject, expected);
}

static int read_boolean(const struct subject *subject, struct value *value)
{
    const struct node *node = subject->node;
    if (node->type == NODE_SCALAR && !node->quoted) {
        value->number = strcmp(node->text, "true") == 0;
        if (value->number || strcmp(node->text, "false") == 0)
            return DRAY_OK;
    }
    return refuse(subject, "true or false");
}

static int read_choice(const struct subject *subject, struct value *value)
{
    const char *p = subject->row->choices;
    const char *text = subject->node->type == NODE_SCALAR ? subject->node->text : "";
    size_t len = strlen(text);
    for (int64_t index = 0; p && *p; index++) {
        size_t n = strcspn(p, "|");
        if (n == len && len > 0 && strncmp(p, text, n) == 0) {
            value->number = index;
            value->text = text;
            return DRAY_OK;
        }
        p += n + (p[n] == '|');
    }
    char expected[200] = "one of ";
    size_t used = strlen(expected);
    for (p = subject->row->choices; p && *p && used < sizeof(expected) - 3; p++) {
        expected[used++] = *p == '|' ? ',' : *p;
        if (*p == '|')
            expected[used++] = ' ';
        expected[used] = 0;
    }
    return refuse(subject, expected);
}

static int read_text(const struct subject *subject, struct value *value)
{
    const struct node *node = subject->node;
    uint32_t type = subject->row->type;
    if (node->type != NODE_SCALAR)
        return refuse(subject, "a text");
    if (!node->text[0] && type != DRAY_OPTION_STRING && type != DRAY_OPTION_SECRET)
        return refuse(subject, "a text that is not empty");
    value->text = node->text;
    if (type == DRAY_OPTION_PATH) {
        value->text = file_path(subject->reader->arena, subject->reader->folder, node->text);
        if (!value->text)
            return reader_no_memory(subject->reader);
    }
    return DRAY_OK;
}

static int read_texts(const struct subject *subject, struct value *value)
{
    const struct node *node = subject->node;
    int is_map = subject->row->type == DRAY_OPTION_MAP;
    if (node->type != (is_map ? NODE_MAP : NODE_LIST))
        return refuse(subject, is_map ? "a map such as {a: b}" : "a list such as [a, b]");
    size_t n = node->count * (is_map ? 2 : 1);
    const char **texts = arena_alloc(subject->reader->arena, n + 1, sizeof(*texts));
    if (!texts)
        return reader_no_memory(subject->reader);
    size_t i = 0;
    for (const struct node *child = node->first; child; child = child->next) {
        if (child->type != NODE_SCALAR || node_is_null(child)) {
            struct subject member = *subject;
            member.node = child;
            return refuse(&member, is_map ? "a map of texts" : "a list of texts");
        }
        if (is_map)
            texts[i++] = child->key;
        texts[i++] = child->text;
    }
    value->texts = texts;
    value->ntexts = n;
    return DRAY_OK;
}

static int read_typed(const struct subject *subject, struct value *value)
{
    switch (subject->row->type) {
    case DRAY_OPTION_INTEGER:
        return read_integer(subject, value);
    case DRAY_OPTION_DURATION:
    case DRAY_OPTION_SIZE:
        return read_amount(subject, value);
    case DRAY_OPTION_BOOLEAN:
        return read_boolean(subject, value);
    case DRAY_OPTION_CHOICE:
        return read_choice(subject, value);
    case DRAY_OPTION_LIST:
    case DRAY_OPTION_MAP:
        return read_texts(subject, value);
    case DRAY_OPTION_STRING:
    case DRAY_OPTION_PATH:
    case DRAY_OPTION_CONNECTION:
    case DRAY_OPTION_SECRET:
        return read_text(subject, value);
    case VALUE_RATIO:
        return read_ratio(subject, value);
    case VALUE_SECTION:
        return DRAY_OK;
    default:
        return node_error(subject->reader->error, subject->node,
            "%s.%s has a type that this version does not know; rebuild the driver",
            subject->section, subject->row->name);
    }
}

int value_read(const struct reader *reader, const struct node *node, const char *section,
    const struct dray_option *row, struct value *value)
{
    memset(value, 0, sizeof(*value));
    value->given = !node_is_null(node);
    if (!value->given) {
        if (!row->fallback)
            return DRAY_OK;
        /* The default goes through the same parser, so that it means what it would mean in YAML. */
        struct node *parsed = NULL;
        int code = tree_parse(reader->arena, "default", 0, row->fallback, strlen(row->fallback),
            &parsed, reader->error);
        if (code != DRAY_OK || node_is_null(parsed))
            return code;
        node = parsed;
    }
    value->node = node;
    const struct subject subject = {reader, node, section, row};
    return read_typed(&subject, value);
}

/* ------------------------------------------------------------------------------------------- */

int expect_map(const struct reader *reader, const struct node *node, const char *name)
{
    if (node_is_null(node) || node->type == NODE_MAP)
        return DRAY_OK;
    return node_error(reader->error, node, "%s must be a map (keys and values), not a %s", name,
        node->type == NODE_LIST ? "list" : "single value");
}

int unknown_key(const struct reader *reader, const struct node *node, const char *section,
    const char *const *words, size_t n)
{
    const char *near = dray_nearest(node->key, words, n);
    const char *where = section[0] ? section : "the configuration";
    if (near)
        return node_error(reader->error, node, "%s has no key \"%.60s\"; did you mean \"%s\"?",
            where, node->key, near);
    char list[300] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used + strlen(words[i]) + 3 < sizeof(list); i++)
        used +=
            (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", words[i]);
    return node_error(
        reader->error, node, "%s has no key \"%.60s\"; it knows %s", where, node->key, list);
}

/* Is each key of `map` in the table or among `known`? */
static int check_keys(const struct reader *reader, const struct node *map,
    const struct table *table, const char *const *known, size_t nknown)
{
    size_t n = table->nrows + nknown;
    const char **words = arena_alloc(reader->arena, n + 1, sizeof(*words));
    if (!words)
        return reader_no_memory(reader);
    for (size_t i = 0; i < table->nrows; i++)
        words[i] = table->rows[i].name;
    for (size_t i = 0; i < nknown; i++)
        words[table->nrows + i] = known[i];
    for (const struct node *child = map->first; child; child = child->next) {
        size_t i = 0;
        while (i < n && strcmp(words[i], child->key) != 0)
            i++;
        if (i == n)
            return unknown_key(reader, child, table->section, words, n);
    }
    return DRAY_OK;
}

int table_read(const struct reader *reader, const struct node *map, const struct table *table,
    const char *const *known, size_t nknown, struct value *values)
{
    memset(values, 0, table->nrows * sizeof(*values));
    int code = expect_map(reader, map, table->section);
    if (code == DRAY_OK && map && map->type == NODE_MAP)
        code = check_keys(reader, map, table, known, nknown);
    for (size_t i = 0; i < table->nrows && code == DRAY_OK; i++)
        code = value_read(reader, node_get(map, table->rows[i].name), table->section,
            &table->rows[i], &values[i]);
    return code;
}
