/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

const char *const job_states[] = {"ready", "delayed", "active", "dead", "done", NULL};

int64_t wall_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void positive(struct json_out *out, const char *key, uint64_t value)
{
    if (value > 0)
        json_uint(out, key, value);
    else
        json_null(out, key);
}

void job_print_json(FILE *file, const struct dray_job_info *job)
{
    struct json_out out;
    json_start(&out, file);
    json_object(&out, NULL);
    json_text(&out, "id", job->id);
    json_text(&out, "queue", job->queue);
    json_text(&out, "type", job->type);
    json_text(&out, "state", job->state);
    json_uint(&out, "priority", job->priority);
    json_uint(&out, "attempts", job->attempts);
    json_uint(&out, "releases", job->releases);
    positive(&out, "max_attempts", job->max_attempts);
    positive(&out, "timeout_ms", job->timeout_ms);
    json_time(&out, "created_at", job->created_ms);
    json_time(&out, "run_at", job->run_at_ms);
    json_time(&out, "lease_until", job->lease_until_ms);
    json_time(&out, "ended_at", job->ended_ms);
    json_text(&out, "owner", job->owner);
    json_text(&out, "unique_key", job->unique_key);
    json_text(&out, "group", job->group);
    json_text(&out, "last_error", job->last_error);
    json_value(&out, "payload", job->payload, job->payload_len);
    json_value(&out, "result", job->result, job->result ? strlen(job->result) : 0);
    json_text(&out, "progress", job->progress);
    json_text(&out, "name", job->name);
    json_end_object(&out);
    json_finish(&out);
}

char *job_attempts(const struct dray_job_info *job, char out[DRAY_TIME_SIZE])
{
    if (job->max_attempts > 0)
        snprintf(out, DRAY_TIME_SIZE, "%" PRIu32 "/%" PRIu32, job->attempts, job->max_attempts);
    else
        snprintf(out, DRAY_TIME_SIZE, "%" PRIu32 "/-", job->attempts);
    return out;
}

static int64_t moment(const struct dray_job_info *job)
{
    if (strcmp(job->state, "active") == 0)
        return job->lease_until_ms;
    if (strcmp(job->state, "dead") == 0 || strcmp(job->state, "done") == 0)
        return job->ended_ms;
    return job->run_at_ms;
}

char *job_when(
    const struct dray_job_info *job, int for_people, int64_t now_ms, char out[DRAY_TIME_SIZE])
{
    int64_t when = moment(job);
    if (when == 0) {
        snprintf(out, DRAY_TIME_SIZE, "%s", strcmp(job->state, "ready") == 0 ? "now" : "-");
        return out;
    }
    if (!for_people)
        return dray_format_time(when, out);
    char text[DRAY_TIME_SIZE];
    if (strcmp(job->state, "ready") == 0)
        snprintf(out, DRAY_TIME_SIZE, "now");
    else if (when > now_ms)
        snprintf(
            out, DRAY_TIME_SIZE, "in %.24s", dray_format_duration((uint64_t)(when - now_ms), text));
    else if (strcmp(job->state, "delayed") == 0)
        snprintf(out, DRAY_TIME_SIZE, "due");
    else
        snprintf(out, DRAY_TIME_SIZE, "%.24s ago",
            dray_format_duration((uint64_t)(now_ms - when), text));
    return out;
}

const char *job_waits_as(const struct dray_job_info *job)
{
    if (job->releases > 0)
        return "parked";
    return job->attempts > 0 ? "retrying" : "scheduled";
}
