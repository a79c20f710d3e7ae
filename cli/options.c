/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <dray/error.h>
#include <dray/text.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAREST_MAX 64

struct reader {
    const struct option_table *tables;
    size_t ntables;
    char **args;
    size_t nargs;
    size_t at;
    struct option_error *error;
};

DRAY_PRINTF(2, 3) static int refuse(struct option_error *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof(error->text), fmt, args);
    va_end(args);
    return -1;
}

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value < min || (max > 0 && value > max))
        return -1;
    *out = value;
    return 0;
}

static const struct option *find_long(
    const struct reader *reader, const char *name, size_t len, void **values)
{
    for (size_t t = 0; t < reader->ntables; t++) {
        for (const struct option *o = reader->tables[t].options; o && o->name; o++) {
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
                *values = reader->tables[t].values;
                return o;
            }
        }
    }
    return NULL;
}

static const struct option *find_letter(const struct reader *reader, char letter, void **values)
{
    for (size_t t = 0; t < reader->ntables; t++) {
        for (const struct option *o = reader->tables[t].options; o && o->name; o++) {
            if (o->letter == letter) {
                *values = reader->tables[t].values;
                return o;
            }
        }
    }
    return NULL;
}

static int unknown_long(const struct reader *reader, const char *name, size_t len)
{
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), name);
    const char *known[NEAREST_MAX];
    size_t n = 0;
    for (size_t t = 0; t < reader->ntables; t++) {
        for (const struct option *o = reader->tables[t].options; o && o->name; o++) {
            if (n < NEAREST_MAX)
                known[n++] = o->name;
        }
    }
    const char *near = dray_nearest(word, known, n);
    if (near)
        return refuse(reader->error, "unknown option --%s; did you mean --%s?", word, near);
    return refuse(reader->error, "unknown option --%s", word);
}

static int add_to_list(struct option_list *list, const char *value, struct option_error *error)
{
    const char **grown = realloc(list->at, (list->n + 1) * sizeof(*grown));
    if (!grown)
        return refuse(error, "out of memory");
    list->at = grown;
    list->at[list->n++] = value;
    return 0;
}

static int set_choice(
    const struct option *o, const char **to, const char *value, struct option_error *error)
{
    char all[128] = "";
    size_t n = 0;
    size_t used = 0;
    for (; o->words[n]; n++) {
        if (strcmp(o->words[n], value) == 0) {
            *to = value;
            return 0;
        }
        int len = snprintf(all + used, sizeof(all) - used, "%s%s", n > 0 ? ", " : "", o->words[n]);
        if (len > 0 && (size_t)len < sizeof(all) - used)
            used += (size_t)len;
    }
    const char *near = dray_nearest(value, o->words, n);
    if (near)
        return refuse(error, "--%s: not '%s'; did you mean %s?", o->name, value, near);
    return refuse(error, "--%s: not '%s' but one of %s", o->name, value, all);
}

static int set_number(
    const struct option *o, struct option_number *to, const char *value, struct option_error *error)
{
    to->given = 1;
    if (o->kind == OPTION_DURATION) {
        if (dray_parse_duration(value, &to->value) == DRAY_OK)
            return 0;
        return refuse(error,
            "--%s: '%s' is not a duration; write 500ms, 90s, 5m, 1h or 7d (ten years at most)",
            o->name, value);
    }
    if (parse_number(value, o->min, o->max, &to->value) == 0)
        return 0;
    if (o->max > 0)
        return refuse(error, "--%s: '%s' is not a whole number from %llu to %llu", o->name, value,
            (unsigned long long)o->min, (unsigned long long)o->max);
    return refuse(error, "--%s: '%s' is not a whole number of at least %llu", o->name, value,
        (unsigned long long)o->min);
}

static int set(const struct option *o, void *values, const char *value, struct option_error *error)
{
    void *to = (char *)values + o->offset;
    switch (o->kind) {
    case OPTION_FLAG:
        *(int *)to = 1;
        return 0;
    case OPTION_LIST:
        return add_to_list(to, value, error);
    case OPTION_NUMBER:
    case OPTION_DURATION:
        return set_number(o, to, value, error);
    case OPTION_CHOICE:
        return set_choice(o, to, value, error);
    default:
        *(const char **)to = value;
        return 0;
    }
}

/* What an unset variable of a script leaves behind is no value. */
static int refuse_empty(const struct option *o, struct option_error *error)
{
    if (o->kind == OPTION_OPTIONAL)
        return refuse(error, "--%s=: the value is empty; write --%s or --%s=%s", o->name, o->name,
            o->name, o->meta);
    return refuse(error, "--%s: the value is empty", o->name);
}

static int wants_value(const struct option *o)
{
    return o->kind != OPTION_FLAG && o->kind != OPTION_OPTIONAL;
}

static int read_long(struct reader *reader)
{
    const char *name = reader->args[reader->at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    void *values = NULL;
    const struct option *o = find_long(reader, name, len, &values);
    if (!o)
        return unknown_long(reader, name, len);
    if (equals && o->kind == OPTION_FLAG)
        return refuse(reader->error, "--%s takes no value", o->name);
    const char *value = equals ? equals + 1 : "";
    if (!equals && wants_value(o)) {
        if (reader->at + 1 >= reader->nargs)
            return refuse(reader->error, "--%s needs a value: --%s %s", o->name, o->name, o->meta);
        value = reader->args[++reader->at];
    }
    if (!*value && (equals || wants_value(o)))
        return refuse_empty(o, reader->error);
    reader->at++;
    return set(o, values, value, reader->error);
}

/* One argument of single letters: -qv, -cFILE, -c FILE. */
static int read_letters(struct reader *reader)
{
    const char *letters = reader->args[reader->at] + 1;
    for (; *letters; letters++) {
        void *values = NULL;
        const struct option *o = find_letter(reader, *letters, &values);
        if (!o)
            return refuse(reader->error, "unknown option -%c", *letters);
        if (!wants_value(o)) {
            if (set(o, values, "", reader->error))
                return -1;
            continue;
        }
        const char *value = letters + 1;
        if (!*value) {
            if (reader->at + 1 >= reader->nargs)
                return refuse(
                    reader->error, "-%c needs a value: -%c %s", *letters, *letters, o->meta);
            value = reader->args[++reader->at];
        }
        if (!*value)
            return refuse_empty(o, reader->error);
        reader->at++;
        return set(o, values, value, reader->error);
    }
    reader->at++;
    return 0;
}

/* "-" is standard input and "-5" a JSON number: both are words. */
static int is_word(const char *arg)
{
    return arg[0] != '-' || !arg[1] || (arg[1] >= '0' && arg[1] <= '9');
}

int options_read(const struct option_table *tables, size_t ntables, char **args, size_t nargs,
    int stop_at_word, size_t *nwords, size_t *nread, struct option_error *error)
{
    struct reader reader = {tables, ntables, args, nargs, 0, error};
    size_t words = 0;
    int literal = 0;
    while (reader.at < nargs) {
        char *arg = args[reader.at];
        if (literal || is_word(arg)) {
            if (stop_at_word)
                break;
            args[words++] = arg;
            reader.at++;
        } else if (strcmp(arg, "--") == 0) {
            literal = 1;
            reader.at++;
        } else if (arg[1] == '-') {
            if (read_long(&reader))
                return -1;
        } else if (read_letters(&reader)) {
            return -1;
        }
    }
    *nwords = words;
    if (nread)
        *nread = reader.at;
    return 0;
}

void options_free(const struct option_table *table)
{
    for (const struct option *o = table->options; o && o->name; o++) {
        if (o->kind == OPTION_LIST) {
            struct option_list *list = (void *)((char *)table->values + o->offset);
            free(list->at);
            list->at = NULL;
            list->n = 0;
        }
    }
}
