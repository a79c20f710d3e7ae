/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include "cli.h"
#include "json_member.h"

#include <dray/text.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (10.0 * 366 * 24 * 3600)

/* One line that is being read. */
struct reading {
    const struct cli *cli;
    const char *name;
    unsigned number;
    const char *text;
    size_t len;
    struct dray_new_job *job;
};

#define REFUSE(r, ...)                                                                             \
    fail_at((r)->cli, EXIT_USAGE, DRAY_INVALID, (r)->name, (r)->number, __VA_ARGS__)

static int take_text(const struct reading *r, const char *key, const json_t *value, const char **to)
{
    if (!json_is_string(value))
        return REFUSE(r, "%s: not a string", key);
    *to = json_string_value(value);
    return EXIT_DONE;
}

static int take_duration(
    const struct reading *r, const char *key, const json_t *value, uint64_t *ms)
{
    if (json_is_string(value) && dray_parse_duration(json_string_value(value), ms) == DRAY_OK)
        return EXIT_DONE;
    double seconds = json_is_number(value) ? json_number_value(value) : -1;
    if (seconds < 0 || seconds > SECONDS_MAX)
        return REFUSE(r, "%s: not a duration; write \"500ms\", \"5m\" or a number of seconds", key);
    *ms = (uint64_t)(seconds * 1000 + 0.5);
    return EXIT_DONE;
}

static int take_number(const struct reading *r, const char *key, const json_t *value, uint32_t min,
    uint32_t max, uint32_t *to)
{
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (number < min || number > max || number > (uint32_t)number || number < (uint32_t)number)
        return REFUSE(r, "%s: not a whole number from %u to %u", key, min, max);
    *to = (uint32_t)number;
    return EXIT_DONE;
}

static int take_time(const struct reading *r, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || dray_parse_time(text, &r->job->at_ms) != DRAY_OK)
        return REFUSE(r, "at: not a time; write \"2026-12-01T09:00:00Z\"");
    return EXIT_DONE;
}

static int take_unique(const struct reading *r, const json_t *value)
{
    if (json_is_true(value))
        r->job->flags |= DRAY_UNIQUE;
    else if (json_is_string(value) && json_string_length(value) == 0)
        return REFUSE(r, "unique: the key is empty; write true for one made of type and payload");
    else if (json_is_string(value))
        r->job->unique = json_string_value(value);
    else if (!json_is_false(value))
        return REFUSE(r, "unique: neither true nor a key");
    return EXIT_DONE;
}

static int take_priority(const struct reading *r, const json_t *value)
{
    uint32_t priority = 0;
    int status = take_number(r, "priority", value, 0, 9, &priority);
    r->job->priority = DRAY_PRIORITY((int)priority);
    return status;
}

static int take_payload(const struct reading *r)
{
    if (json_member(r->text, r->len, "payload", &r->job->payload, &r->job->payload_len))
        return REFUSE(r, "payload: write this key without escapes");
    return EXIT_DONE;
}

static int unknown_key(const struct reading *r, const char *key)
{
    static const char *const keys[] = {"type", "payload", "queue", "delay", "at", "priority",
        "max_attempts", "timeout", "unique", "id", "name", "group"};
    const char *near = dray_nearest(key, keys, sizeof(keys) / sizeof(keys[0]));
    if (near)
        return REFUSE(r, "unknown key '%.64s'; did you mean '%s'?", key, near);
    return REFUSE(r, "unknown key '%.64s'", key);
}

static int take_member(const struct reading *r, const char *key, const json_t *value)
{
    struct dray_new_job *job = r->job;
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"type", &job->type}, {"queue", &job->queue}, {"id", &job->id},
        {"name", &job->name}, {"group", &job->group}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].key, key) == 0)
            return take_text(r, key, value, texts[i].to);
    }
    if (strcmp(key, "payload") == 0)
        return take_payload(r);
    if (strcmp(key, "delay") == 0)
        return take_duration(r, key, value, &job->delay_ms);
    if (strcmp(key, "timeout") == 0)
        return take_duration(r, key, value, &job->timeout_ms);
    if (strcmp(key, "at") == 0)
        return take_time(r, value);
    if (strcmp(key, "unique") == 0)
        return take_unique(r, value);
    if (strcmp(key, "priority") == 0)
        return take_priority(r, value);
    /* As the option is spelled, and as `list` prints it. */
    if (strcmp(key, "max_attempts") == 0 || strcmp(key, "max-attempts") == 0)
        return take_number(r, key, value, 1, UINT32_MAX, &job->max_attempts);
    return unknown_key(r, key);
}

static int take_line(const struct reading *r, json_t *root)
{
    if (!json_is_object(root))
        return REFUSE(r, "not a JSON object");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        int status = take_member(r, key, value);
        if (status != EXIT_DONE)
            return status;
    }
    if (!r->job->type)
        return REFUSE(r, "the key 'type' is missing");
    if (r->job->delay_ms > 0 && r->job->at_ms != 0)
        return REFUSE(r, "delay and at do not go together");
    return EXIT_DONE;
}

static int grow(void **block, size_t room, size_t size)
{
    void *grown = reallocarray(*block, room, size);
    if (!grown)
        return -1;
    *block = grown;
    return 0;
}

/* Room for one more line, whose text is copied. */
static int add(struct lines *lines, const char *text, size_t len)
{
    if (lines->n == lines->room) {
        size_t room = lines->room > 0 ? lines->room * 2 : 64;
        if (grow((void **)&lines->jobs, room, sizeof(*lines->jobs)) ||
            grow((void **)&lines->numbers, room, sizeof(*lines->numbers)) ||
            grow((void **)&lines->texts, room, sizeof(*lines->texts)) ||
            grow((void **)&lines->roots, room, sizeof(*lines->roots)))
            return -1;
        lines->room = room;
    }
    char *copy = malloc(len + 1);
    if (!copy)
        return -1;
    memcpy(copy, text, len);
    copy[len] = 0;
    memset(&lines->jobs[lines->n], 0, sizeof(*lines->jobs));
    lines->texts[lines->n] = copy;
    lines->roots[lines->n] = NULL;
    lines->n++;
    return 0;
}

static int read_one(const struct cli *cli, struct lines *lines, unsigned number)
{
    size_t i = lines->n - 1;
    struct reading r = {
        cli, lines->name, number, lines->texts[i], strlen(lines->texts[i]), &lines->jobs[i]};
    lines->numbers[i] = number;
    json_error_t error;
    /* Integers as reals: a payload may hold larger ones than jansson's, and is taken as it is. */
    lines->roots[i] =
        json_loadb(r.text, r.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (!lines->roots[i])
        return REFUSE(&r, "not a JSON object: %s", error.text);
    return take_line(&r, lines->roots[i]);
}

int lines_read(const struct cli *cli, FILE *file, const char *name, struct lines *lines)
{
    memset(lines, 0, sizeof(*lines));
    lines->name = name;
    char *text = NULL;
    size_t size = 0;
    ssize_t len;
    unsigned number = 0;
    int status = EXIT_DONE;
    while (status == EXIT_DONE && (len = getline(&text, &size, file)) >= 0) {
        number++;
        if (strspn(text, " \t\r\n") == (size_t)len)
            continue;
        if (memchr(text, 0, (size_t)len))
            status = fail_at(cli, EXIT_USAGE, DRAY_INVALID, name, number, "holds a zero byte");
        else if (add(lines, text, (size_t)len))
            status = fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
        else
            status = read_one(cli, lines, number);
    }
    if (status == EXIT_DONE && ferror(file))
        status = fail(cli, EXIT_IO, DRAY_IO, "%s: %s", name, strerror(errno));
    free(text);
    return status;
}

void lines_free(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        free(lines->texts[i]);
        json_decref(lines->roots[i]);
    }
    free(lines->texts);
    free(lines->roots);
    free(lines->numbers);
    free(lines->jobs);
    memset(lines, 0, sizeof(*lines));
}
