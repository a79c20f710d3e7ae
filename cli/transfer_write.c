/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"
#include "jobs.h"
#include "json_out.h"
#include "transfer.h"

#include <string.h>

static void start(struct json_out *out, FILE *file)
{
    json_start(out, file);
    json_object(out, NULL);
}

static void finish(struct json_out *out)
{
    json_end_object(out);
    json_finish(out);
}

void transfer_print_head(FILE *file, const char *driver)
{
    struct json_out out;
    start(&out, file);
    json_uint(&out, "dray_export", TRANSFER_FORMAT);
    json_text(&out, "dray", DRAY_VERSION);
    json_text(&out, "driver", driver);
    json_time(&out, "exported_at", wall_now_ms());
    finish(&out);
}

void transfer_print_paused(FILE *file, const char *queue)
{
    struct json_out out;
    start(&out, file);
    json_text(&out, "dray_export_paused", queue);
    finish(&out);
}

void transfer_print_end(FILE *file, uint64_t jobs)
{
    struct json_out out;
    start(&out, file);
    json_uint(&out, "dray_export_end", jobs);
    finish(&out);
}

static void text(struct json_out *out, const char *key, const char *value)
{
    if (value)
        json_text(out, key, value);
}

static void number(struct json_out *out, const char *key, uint64_t value)
{
    if (value > 0)
        json_uint(out, key, value);
}

static void time_of(struct json_out *out, const char *key, int64_t wall_ms)
{
    if (wall_ms != 0)
        json_time(out, key, wall_ms);
}

/* Can a JSON value stand in a line so that a reader finds the same bytes again? */
static int stands_alone(const char *json, size_t len)
{
    return len > 0 && json[0] != ' ' && json[len - 1] != ' ' && escaped_len(json, len) == len;
}

static void value(struct json_out *out, const char *key, const char *text_key, const char *json)
{
    if (!json)
        return;
    size_t len = strlen(json);
    if (stands_alone(json, len))
        json_value(out, key, json, len);
    else
        json_text(out, text_key, json);
}

void transfer_print_job(FILE *file, const struct dray_job_info *job)
{
    struct json_out out;
    start(&out, file);
    json_text(&out, "id", job->id);
    json_text(&out, "queue", job->queue);
    json_text(&out, "type", job->type);
    json_text(&out, "state", job->state);
    json_uint(&out, "priority", job->priority);
    json_uint(&out, "attempts", job->attempts);
    json_uint(&out, "releases", job->releases);
    number(&out, "max_attempts", job->max_attempts);
    number(&out, "timeout_ms", job->timeout_ms);
    time_of(&out, "created_at", job->created_ms);
    time_of(&out, "run_at", job->run_at_ms);
    time_of(&out, "ended_at", job->ended_ms);
    text(&out, "unique_key", job->unique_key);
    text(&out, "group", job->group);
    text(&out, "name", job->name);
    number(&out, "fence", job->fence);
    if (job->cancelled)
        json_bool(&out, "cancelled", 1);
    text(&out, "last_error", job->last_error);
    text(&out, "progress", job->progress);
    value(&out, "result", "result_text", job->result);
    value(&out, "payload", "payload_text", job->payload);
    finish(&out);
}
