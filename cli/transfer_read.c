/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_member.h"
#include "transfer.h"

#include <dray/driver.h>
#include <dray/text.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(line, ...)                                                                          \
    fail_at(cli, EXIT_USAGE, DRAY_INVALID, (line)->name, (line)->number, __VA_ARGS__)

/* A value that is taken byte for byte. */
struct span {
    const char *at;
    size_t len;
};

/* ---- the members of a job ---- */

enum member_kind { MEMBER_TEXT, MEMBER_U32, MEMBER_U64, MEMBER_TIME, MEMBER_FLAG, MEMBER_VALUE };

static const struct member {
    const char *key;
    enum member_kind kind;
    size_t offset; /* in struct dray_job_info */
} members[] = {
    {"id", MEMBER_TEXT, offsetof(struct dray_job_info, id)},
    {"queue", MEMBER_TEXT, offsetof(struct dray_job_info, queue)},
    {"type", MEMBER_TEXT, offsetof(struct dray_job_info, type)},
    {"state", MEMBER_TEXT, offsetof(struct dray_job_info, state)},
    {"priority", MEMBER_U32, offsetof(struct dray_job_info, priority)},
    {"attempts", MEMBER_U32, offsetof(struct dray_job_info, attempts)},
    {"releases", MEMBER_U32, offsetof(struct dray_job_info, releases)},
    {"max_attempts", MEMBER_U32, offsetof(struct dray_job_info, max_attempts)},
    {"timeout_ms", MEMBER_U64, offsetof(struct dray_job_info, timeout_ms)},
    {"created_at", MEMBER_TIME, offsetof(struct dray_job_info, created_ms)},
    {"run_at", MEMBER_TIME, offsetof(struct dray_job_info, run_at_ms)},
    {"ended_at", MEMBER_TIME, offsetof(struct dray_job_info, ended_ms)},
    {"unique_key", MEMBER_TEXT, offsetof(struct dray_job_info, unique_key)},
    {"group", MEMBER_TEXT, offsetof(struct dray_job_info, group)},
    {"name", MEMBER_TEXT, offsetof(struct dray_job_info, name)},
    {"fence", MEMBER_U64, offsetof(struct dray_job_info, fence)},
    {"cancelled", MEMBER_FLAG, offsetof(struct dray_job_info, cancelled)},
    {"last_error", MEMBER_TEXT, offsetof(struct dray_job_info, last_error)},
    {"progress", MEMBER_TEXT, offsetof(struct dray_job_info, progress)},
    {"result", MEMBER_VALUE, offsetof(struct dray_job_info, result)},
    {"payload", MEMBER_VALUE, offsetof(struct dray_job_info, payload)},
    {"result_text", MEMBER_TEXT, offsetof(struct dray_job_info, result)},
    {"payload_text", MEMBER_TEXT, offsetof(struct dray_job_info, payload)},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static int unknown_key(const struct cli *cli, const struct transfer_line *line, const char *key)
{
    const char *keys[MEMBERS];
    for (size_t i = 0; i < MEMBERS; i++)
        keys[i] = members[i].key;
    const char *near = dray_nearest(key, keys, MEMBERS);
    if (near)
        return REFUSE(line, "unknown key '%.64s'; did you mean '%s'?", key, near);
    return REFUSE(line, "unknown key '%.64s'", key);
}

static int take_text(const struct cli *cli, const struct transfer_line *line,
    const struct member *member, const json_t *value, const char **to)
{
    if (!json_is_string(value))
        return REFUSE(line, "%s: not a string", member->key);
    if (*to)
        return REFUSE(line, "%s: this value is given twice", member->key);
    *to = json_string_value(value);
    return EXIT_DONE;
}

static int take_number(const struct cli *cli, const struct transfer_line *line,
    const struct member *member, const json_t *value, void *to)
{
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    int is_short = member->kind == MEMBER_U32;
    if (number < 0 || (is_short && (uint64_t)number > UINT32_MAX))
        return REFUSE(line, "%s: not a whole number from 0 on%s", member->key,
            is_short ? " to 4294967295" : "");
    if (is_short)
        *(uint32_t *)to = (uint32_t)number;
    else
        *(uint64_t *)to = (uint64_t)number;
    return EXIT_DONE;
}

static int take_time(const struct cli *cli, const struct transfer_line *line,
    const struct member *member, const json_t *value, int64_t *to)
{
    const char *text = json_string_value(value);
    if (!text || dray_parse_time(text, to) != DRAY_OK)
        return REFUSE(line, "%s: not a time; write \"2026-12-01T09:00:00Z\"", member->key);
    return EXIT_DONE;
}

static int take_member(
    const struct cli *cli, struct transfer_line *line, const char *key, const json_t *value)
{
    const struct member *member = members;
    while (member < members + MEMBERS && strcmp(member->key, key) != 0)
        member++;
    if (member == members + MEMBERS)
        return unknown_key(cli, line, key);
    if (json_is_null(value)) /* it does not apply; or it was taken from the line itself */
        return EXIT_DONE;
    char *to = (char *)&line->job + member->offset;
    switch (member->kind) {
    case MEMBER_TEXT:
        return take_text(cli, line, member, value, (const char **)(void *)to);
    case MEMBER_U32:
    case MEMBER_U64:
        return take_number(cli, line, member, value, to);
    case MEMBER_TIME:
        return take_time(cli, line, member, value, (int64_t *)(void *)to);
    case MEMBER_FLAG:
        *(int *)(void *)to = json_is_true(value);
        return json_is_boolean(value) ? EXIT_DONE : REFUSE(line, "%s: not true or false", key);
    case MEMBER_VALUE:
    default:
        return REFUSE(line, "%s: write this key without escapes", key);
    }
}

static int take_job(const struct cli *cli, struct transfer_line *line)
{
    static const char *const required[] = {"id", "queue", "type", "state", "created_at"};
    const char *key;
    json_t *value;
    json_object_foreach(line->root, key, value)
    {
        int status = take_member(cli, line, key, value);
        if (status != EXIT_DONE)
            return status;
    }
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!json_is_string(json_object_get(line->root, required[i])))
            return REFUSE(line, "the key '%s' is missing", required[i]);
    }
    if (!line->job.payload)
        return REFUSE(line, "the key 'payload' is missing");
    if (line->job.payload_len == 0)
        line->job.payload_len = strlen(line->job.payload);
    return EXIT_DONE;
}

/* ---- the line ---- */

/* Payload and result are not for the parser: they may hold numbers that it cannot. They are cut out
   of `line` into the job, and null takes their place in the copy that is returned. NULL without
   memory. */
static char *cut_values(struct transfer_line *line, size_t len)
{
    struct span payload = {NULL, 0}, result = {NULL, 0};
    char *copy = malloc(len + 16);
    if (!copy)
        return NULL;
    if (json_member(line->text, len, "payload", &payload.at, &payload.len) != 0)
        payload.at = NULL;
    if (json_member(line->text, len, "result", &result.at, &result.len) != 0)
        result.at = NULL;
    int swap = payload.at && result.at && payload.at < result.at;
    const struct span spans[2] = {swap ? payload : result, swap ? result : payload};
    char *out = copy;
    const char *from = line->text;
    for (int i = 0; i < 2; i++) {
        if (!spans[i].at || spans[i].len == 0)
            continue;
        out = mempcpy(out, from, (size_t)(spans[i].at - from));
        out = mempcpy(out, "null", 4);
        from = spans[i].at + spans[i].len;
    }
    out = mempcpy(out, from, (size_t)(line->text + len - from));
    *out = 0;
    for (int i = 0; i < 2; i++) {
        if (spans[i].at)
            line->text[spans[i].at - line->text + (ptrdiff_t)spans[i].len] = 0;
    }
    line->job.payload = payload.at;
    line->job.payload_len = payload.len;
    line->job.result = result.at && strcmp(result.at, "null") != 0 ? result.at : NULL;
    return copy;
}

static int take_head(const struct cli *cli, const struct transfer_line *line)
{
    const json_t *format = json_object_get(line->root, "dray_export");
    if (!json_is_integer(format))
        return REFUSE(line, "not what `dray export` writes: the first line should be "
                            "{\"dray_export\": 1, ...}");
    if (json_integer_value(format) != TRANSFER_FORMAT)
        return fail_at(cli, EXIT_CONFIG, DRAY_UNSUPPORTED, line->name, line->number,
            "this is format %lld; this version reads format %d",
            (long long)json_integer_value(format), TRANSFER_FORMAT);
    return EXIT_DONE;
}

static int take_paused(const struct cli *cli, struct transfer_line *line, const json_t *queue)
{
    line->kind = TRANSFER_PAUSED;
    line->job.queue = json_string_value(queue);
    return line->job.queue ? EXIT_DONE
                           : REFUSE(line, "dray_export_paused: not the name of a queue");
}

static int take_line(const struct cli *cli, struct transfer_line *line)
{
    const json_t *end = json_object_get(line->root, "dray_export_end");
    const json_t *paused = json_object_get(line->root, "dray_export_paused");
    if (line->number == 1) {
        line->kind = TRANSFER_HEAD;
        return take_head(cli, line);
    }
    if (paused)
        return take_paused(cli, line, paused);
    if (!end) {
        line->kind = TRANSFER_JOB;
        return take_job(cli, line);
    }
    line->kind = TRANSFER_END;
    if (!json_is_integer(end) || json_integer_value(end) < 0)
        return REFUSE(line, "dray_export_end: not a number of jobs");
    line->jobs = (uint64_t)json_integer_value(end);
    return EXIT_DONE;
}

static int parse(const struct cli *cli, struct transfer_line *line, size_t len)
{
    json_error_t error;
    char *copy = cut_values(line, len);
    if (!copy)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    line->root = json_loads(copy, JSON_REJECT_DUPLICATES, &error);
    free(copy);
    if (line->number == 1 && !json_is_object(line->root))
        return take_head(cli, line);
    if (!line->root)
        return REFUSE(line, "not a JSON object: %s", error.text);
    if (!json_is_object(line->root))
        return REFUSE(line, "not a JSON object");
    return take_line(cli, line);
}

int transfer_read(const struct cli *cli, const char *name, unsigned number, const char *text,
    size_t len, struct transfer_line *line)
{
    *line = (struct transfer_line){
        .name = name, .number = number, .len = len, .job = {.priority = DRAY_PRIORITY_NORMAL}};
    if (memchr(text, 0, len))
        return REFUSE(line, "holds a zero byte");
    line->text = malloc(len + 1);
    if (!line->text)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    memcpy(line->text, text, len);
    line->text[len] = 0;
    int status = parse(cli, line, len);
    if (status != EXIT_DONE)
        transfer_free(line);
    return status;
}

void transfer_free(struct transfer_line *line)
{
    free(line->text);
    json_decref(line->root);
    line->text = NULL;
    line->root = NULL;
}
