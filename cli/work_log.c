/* SPDX-License-Identifier: Apache-2.0 */
#include "work_log.h"

#include "cli.h"
#include "escape.h"
#include "jobs.h"
#include "json_out.h"

#include <dray/text.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lines for people ---- */

/* Time and text on standard error; control characters of errors are escaped. */
DRAY_PRINTF(2, 3) static void say(const struct work_log *log, const char *fmt, ...)
{
    if (log->cli->quiet)
        return;
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    char now[DRAY_TIME_SIZE];
    flockfile(stderr);
    fprintf(stderr, "%s%s ", log->cli->progress ? "\r\033[K" : "",
        dray_format_time(wall_now_ms(), now));
    print_escaped(stderr, text, (size_t)len);
    fputc('\n', stderr);
    funlockfile(stderr);
    free(text);
}

/* ---- Lines for programs ---- */

struct json_event {
    const char *event;
    const struct dray_event *of; /* NULL: none */
    int has_duration;
    const char *error;
};

static void begin_json(struct json_out *out, const struct json_event *event)
{
    static const struct dray_event nothing;
    const struct dray_event *of = event->of ? event->of : &nothing;
    json_start(out, stdout);
    json_object(out, NULL);
    json_time(out, "time", wall_now_ms());
    json_text(out, "event", event->event);
    json_text(out, "id", of->id);
    json_text(out, "type", of->type);
    json_text(out, "queue", of->queue);
    if (of->id)
        json_uint(out, "attempt", of->attempt);
    else
        json_null(out, "attempt");
    if (event->has_duration)
        json_uint(out, "duration_ms", of->run_ms);
    else
        json_null(out, "duration_ms");
    json_text(out, "error", event->error);
    if (of->will_retry)
        json_uint(out, "retry_in_ms", of->retry_in_ms);
    else
        json_null(out, "retry_in_ms");
}

/* Whoever reads along sees each event when it happens. */
static void end_json(struct json_out *out)
{
    json_end_object(out);
    json_finish(out);
    fflush(stdout);
}

/* The first line tells that the worker has started, whoever has something to tell first: starts of
   jobs are told by the threads that run them. */
static void tell_start(struct work_log *log)
{
    struct json_out out;
    if (log->start_told)
        return;
    log->start_told = 1;
    begin_json(&out, &(struct json_event){.event = "worker_start"});
    end_json(&out);
}

/* Nobody else tells anything until the line ends. */
static void begin_line(struct work_log *log, struct json_out *out, const struct json_event *event)
{
    pthread_mutex_lock(&log->mutex);
    tell_start(log);
    begin_json(out, event);
}

static void end_line(struct work_log *log, struct json_out *out)
{
    end_json(out);
    pthread_mutex_unlock(&log->mutex);
}

static void print_json(struct work_log *log, const struct json_event *event)
{
    struct json_out out;
    begin_line(log, &out, event);
    end_line(log, &out);
}

/* ---- Events ---- */

static void on_start(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    if (log->signals)
        signals_repeat(log->signals);
    if (log->json) {
        pthread_mutex_lock(&log->mutex);
        tell_start(log);
        pthread_mutex_unlock(&log->mutex);
        return;
    }
    if (log->once)
        return;
    struct dray_worker_state state;
    dray_worker_get_state(event->dray, &state);
    if (state.executors > 0)
        say(log, "started: %" PRIu32 " executor%s, driver %s", state.executors,
            state.executors == 1 ? "" : "s", dray_get_info(event->dray)->driver);
}

static void on_job_start(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    if (log->json)
        print_json(log, &(struct json_event){.event = "job_start", .of = event});
}

static void on_job_complete(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    if (log->json) {
        print_json(
            log, &(struct json_event){.event = "job_complete", .of = event, .has_duration = 1});
        return;
    }
    /* A terminal shows the count; a line each would scroll the failures away. */
    if (log->cli->progress)
        return;
    char run[DRAY_TIME_SIZE];
    say(log, "done: %s %s on %s, attempt %" PRIu32 ", in %s", event->type, event->id, event->queue,
        event->attempt, dray_format_duration(event->run_ms, run));
}

static void on_job_error(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    const char *error = event->error ? event->error : "no error given";
    if (log->json) {
        print_json(log, &(struct json_event){
                            .event = "job_error", .of = event, .has_duration = 1, .error = error});
        return;
    }
    char run[DRAY_TIME_SIZE];
    char again[DRAY_TIME_SIZE];
    const char *in = event->retry_in_ms > 0 ? "in " : "at once";
    if (event->retry_in_ms > 0)
        dray_format_duration(event->retry_in_ms, again);
    else
        again[0] = 0;
    say(log, "failed: %s %s on %s, attempt %" PRIu32 " of %" PRIu32 ", after %s: %s; again %s%s",
        event->type, event->id, event->queue, event->attempt, event->max_attempts,
        dray_format_duration(event->run_ms, run), error, in, again);
}

static void on_job_dead(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    const char *error = event->error ? event->error : "no error given";
    if (log->json) {
        print_json(log, &(struct json_event){
                            .event = "job_dead", .of = event, .has_duration = 1, .error = error});
        return;
    }
    char run[DRAY_TIME_SIZE];
    say(log, "dead: %s %s on %s, attempt %" PRIu32 " of %" PRIu32 ", after %s: %s", event->type,
        event->id, event->queue, event->attempt, event->max_attempts,
        dray_format_duration(event->run_ms, run), error);
}

static void on_error(const struct dray_event *event, void *user)
{
    struct work_log *log = user;
    const char *error = event->error ? event->error : dray_code_name(event->code);
    if (log->json) {
        print_json(log, &(struct json_event){.event = "worker_error", .of = event, .error = error});
        return;
    }
    if (event->id)
        say(log, "worker error: %s %s on %s: %s", event->type ? event->type : "job", event->id,
            event->queue ? event->queue : "?", error);
    else
        say(log, "worker error: %s", error);
}

void work_log_start(struct work_log *log, struct cli *cli, int json)
{
    memset(log, 0, sizeof(*log));
    log->cli = cli;
    log->json = json;
    log->started_ms = (uint64_t)wall_now_ms();
    pthread_mutex_init(&log->mutex, NULL);
    cli->progress = cli->err_is_terminal && !json && !cli->quiet;
}

void work_log_callbacks(struct work_log *log, struct dray_callbacks *callbacks)
{
    *callbacks = (struct dray_callbacks){
        .on_start = on_start,
        .on_job_start = log->json ? on_job_start : NULL,
        .on_job_complete = on_job_complete,
        .on_job_error = on_job_error,
        .on_job_dead = on_job_dead,
        .on_error = on_error,
        .user = log,
    };
}

static const char *mood(const struct dray_worker_state *state)
{
    if (state->stopping)
        return "stopping";
    if (state->held)
        return "on hold";
    if (state->last_look_age_ms < 0)
        return "starting";
    return state->consuming ? "consuming" : "not consuming";
}

static void state_json(struct work_log *log, const struct dray_worker_state *state)
{
    const char *error = state->last_error[0] ? state->last_error : NULL;
    struct json_out out;
    begin_line(log, &out, &(struct json_event){.event = "worker_state", .error = error});
    json_text(&out, "state", mood(state));
    json_uint(&out, "executors", state->executors);
    json_uint(&out, "running", state->running);
    json_uint(&out, "reserved", state->reserved);
    json_uint(&out, "stuck", state->stuck);
    json_uint(&out, "processed", state->processed);
    json_uint(&out, "succeeded", state->succeeded);
    json_uint(&out, "failed", state->failed);
    json_uint(&out, "dead", state->dead);
    json_uint(&out, "lost", state->lost);
    end_line(log, &out);
}

void work_log_state(void *user)
{
    struct work_log *log = user;
    struct dray_worker_state state;
    dray_worker_get_state(log->cli->dray, &state);
    if (log->json) {
        state_json(log, &state);
        return;
    }
    say(log,
        "state: %s; %" PRIu32 " of %" PRIu32 " executors busy, %" PRIu32 " reserved, %" PRIu32
        " stuck; %" PRIu64 " processed, %" PRIu64 " succeeded, %" PRIu64 " failed, %" PRIu64
        " dead, %" PRIu64 " lost%s%s",
        mood(&state), state.running, state.executors, state.reserved, state.stuck, state.processed,
        state.succeeded, state.failed, state.dead, state.lost,
        state.last_error[0] ? "; last error: " : "", state.last_error);
}

void work_log_progress(void *user)
{
    struct work_log *log = user;
    struct dray_worker_state state;
    dray_worker_get_state(log->cli->dray, &state);
    uint64_t elapsed_ms = (uint64_t)wall_now_ms() - log->started_ms;
    double rate = elapsed_ms > 0 ? (double)state.processed * 1000 / (double)elapsed_ms : 0;
    fprintf(stderr, "\r\033[K%s: %" PRIu32 " running, %" PRIu64 " done, %" PRIu64 " failed, %.0f/s",
        mood(&state), state.running, state.succeeded, state.failed, rate);
    fflush(stderr);
}

void work_log_end(struct work_log *log, const struct dray_work_report *report, const char *left)
{
    if (!log->json) {
        char running[64] = "";
        char lost[64] = "";
        if (report->running > 0)
            snprintf(running, sizeof(running), ", %" PRIu64 " still running", report->running);
        if (report->lost > 0)
            snprintf(lost, sizeof(lost), ", %" PRIu64 " outcomes lost", report->lost);
        say(log,
            "stopped: %" PRIu64 " processed, %" PRIu64 " succeeded, %" PRIu64 " failed%s%s%s%s",
            report->processed, report->succeeded, report->failed, running, lost,
            left[0] ? "; left: " : "", left);
        log->cli->progress = 0;
        return;
    }
    struct json_out out;
    begin_json(&out, &(struct json_event){.event = "worker_stop"});
    json_uint(&out, "processed", report->processed);
    json_uint(&out, "succeeded", report->succeeded);
    json_uint(&out, "failed", report->failed);
    json_text(&out, "left", left[0] ? left : NULL);
    end_json(&out);
}
