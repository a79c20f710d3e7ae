/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/command_run.h"

#include "dray/text.h"
#include "handler/capture.h"
#include "handler/child.h"
#include "handler/command.h"
#include "text/json.h"
#include "text/name.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a command says by its exit status: those of sysexits.h. */
#define EXIT_GIVE_UP 65
#define EXIT_AGAIN 75

#define NEVER INT64_MAX

/* How long not to listen to cancel_fd after it woke us for nothing: it may stay readable. */
#define DEAF_MS 100

/* One run under way. Times are real ones, in milliseconds, also under a clock moved by hand. */
struct run {
    const struct command_job *job;
    struct child child;
    struct capture_head out;
    struct capture_tail err;
    int64_t timeout_at;
    int64_t kill_at;   /* once it has been told to stop */
    int64_t listen_at; /* when to look at cancel_fd again */
    int stopping;
    int timed_out;
    int cancelled;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t after(int64_t now, uint64_t ms)
{
    return ms >= (uint64_t)(NEVER - now) ? NEVER : now + (int64_t)ms;
}

/* ------------------------------------------------------------------------------------------- */
/* Watching                                                                                    */
/* ------------------------------------------------------------------------------------------- */

static void stop(struct run *run, int64_t now)
{
    run->stopping = 1;
    run->kill_at = after(now, run->job->grace_ms);
    child_signal(&run->child, SIGTERM);
}

static void look_at_clock(struct run *run)
{
    int64_t now = now_ms();
    if (!run->stopping && now >= run->timeout_at) {
        run->timed_out = 1;
        stop(run, now);
    }
    if (run->stopping && now >= run->kill_at) {
        run->kill_at = NEVER;
        child_signal(&run->child, SIGKILL);
    }
}

static void look_at_cancel(struct run *run)
{
    if (run->job->cancelled && run->job->cancelled(run->job->arg)) {
        run->cancelled = 1;
        stop(run, now_ms());
    } else {
        run->listen_at = now_ms() + DEAF_MS;
    }
}

/* Milliseconds for poll until something is due. */
static int time_left(const struct run *run, int listening)
{
    int64_t due = run->stopping ? run->kill_at : run->timeout_at;
    if (!run->stopping && !listening && run->job->cancel_fd >= 0 && run->listen_at < due)
        due = run->listen_at;
    if (due == NEVER)
        return -1;
    int64_t left = due - now_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Until the child has ended. */
static void watch(struct run *run)
{
    struct child *child = &run->child;
    for (;;) {
        int listening = !run->stopping && run->job->cancel_fd >= 0 && now_ms() >= run->listen_at;
        /* poll passes over negative descriptors. */
        struct pollfd fds[4] = {
            {.fd = child->pidfd, .events = POLLIN},
            {.fd = child->out, .events = POLLIN},
            {.fd = child->err, .events = POLLIN},
            {.fd = listening ? run->job->cancel_fd : -1, .events = POLLIN},
        };
        int n = poll(fds, 4, time_left(run, listening));
        if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOMEM)
            child_signal(child, SIGKILL); /* cannot be; then at least it ends */
        if (n > 0 && fds[1].revents && !capture_head_read(&run->out, child->out))
            child_close_one(&child->out);
        if (n > 0 && fds[2].revents && !capture_tail_read(&run->err, child->err))
            child_close_one(&child->err);
        if (n > 0 && fds[0].revents)
            return;
        if (n > 0 && fds[3].revents)
            look_at_cancel(run);
        look_at_clock(run);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* Judging                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void say(struct command_outcome *outcome, int verdict, const char *fmt, ...)
    DRAY_PRINTF(3, 4);
static void say(struct command_outcome *outcome, int verdict, const char *fmt, ...)
{
    outcome->verdict = verdict;
    va_list args;
    va_start(args, fmt);
    vsnprintf(outcome->error, sizeof(outcome->error), fmt, args);
    va_end(args);
}

/* Puts the end of standard error behind what is there already, or in its place if `alone`. */
static void add_tail(struct command_outcome *outcome, const struct capture_tail *tail, int alone)
{
    size_t len = 0;
    const char *text = capture_tail_text(tail, &len);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    if (len == 0)
        return;
    size_t used = alone ? 0 : strlen(outcome->error);
    if (used > 0) {
        outcome->error[used++] = ':';
        outcome->error[used++] = ' ';
    }
    utf8_clean_tail(outcome->error + used, sizeof(outcome->error) - used, text, len);
}

/* Standard output, if it is one JSON value; the line end behind it does not count. */
static void take_result(struct run *run, struct command_outcome *outcome)
{
    struct capture_head *out = &run->out;
    size_t start = 0;
    size_t end = out->len;
    while (start < end && strchr(" \t\r\n", out->data[start]))
        start++;
    while (end > start && strchr(" \t\r\n", out->data[end - 1]))
        end--;
    size_t at;
    if (out->overflow || start == end || end - start > run->job->max_result ||
        json_check(out->data + start, end - start, &at))
        return;
    char *result = malloc(end - start + 1);
    if (!result)
        return;
    memcpy(result, out->data + start, end - start);
    result[end - start] = 0;
    outcome->result = result;
    outcome->result_len = end - start;
}

static void judge_exit(struct run *run, int status, struct command_outcome *outcome)
{
    if (status == 0) {
        outcome->verdict = COMMAND_DONE;
        take_result(run, outcome);
        return;
    }
    int verdict = status == EXIT_AGAIN     ? COMMAND_AGAIN
                  : status == EXIT_GIVE_UP ? COMMAND_GIVE_UP
                                           : COMMAND_FAILED;
    say(outcome, verdict, "exit status %d, and nothing on standard error", status);
    add_tail(outcome, &run->err, 1);
}

static void judge(struct run *run, const struct child_end *end, struct command_outcome *outcome)
{
    char time[DRAY_TIME_SIZE];
    outcome->timed_out = run->timed_out;
    outcome->cancelled = run->cancelled;
    if (end->lost) {
        say(outcome, COMMAND_FAILED, "%s", CHILD_LOST);
    } else if (run->timed_out) {
        /* Whatever it says: many programs exit with 0 when they are told to stop. */
        say(outcome, COMMAND_FAILED, "timed out after %s",
            dray_format_duration(run->job->timeout_ms, time));
        add_tail(outcome, &run->err, 0);
    } else if (end->signal != 0) {
        const char *name = sigabbrev_np(end->signal);
        say(outcome, COMMAND_FAILED, "%skilled by %s%s (signal %d)",
            run->cancelled ? "cancelled, " : "", name ? "SIG" : "a signal", name ? name : "",
            end->signal);
        add_tail(outcome, &run->err, 0);
    } else {
        judge_exit(run, end->status, outcome);
    }
}

/* ------------------------------------------------------------------------------------------- */

#define JOB_VARIABLES 5
struct job_environment {
    char text[JOB_VARIABLES][128];
    char *vector[COMMAND_INHERITED + JOB_VARIABLES + 1];
};

static void make_environment(
    struct job_environment *env, const struct command *command, const struct command_job *job)
{
    size_t n = 0;
    for (; command->env[n]; n++)
        env->vector[n] = command->env[n];
    snprintf(env->text[0], sizeof(env->text[0]), "DRAY_JOB_ID=%s", job->id);
    snprintf(env->text[1], sizeof(env->text[1]), "DRAY_JOB_TYPE=%s", job->type);
    snprintf(env->text[2], sizeof(env->text[2]), "DRAY_JOB_QUEUE=%s", job->queue);
    snprintf(env->text[3], sizeof(env->text[3]), "DRAY_JOB_ATTEMPT=%" PRIu32, job->attempt);
    snprintf(
        env->text[4], sizeof(env->text[4]), "DRAY_JOB_MAX_ATTEMPTS=%" PRIu32, job->max_attempts);
    for (size_t i = 0; i < JOB_VARIABLES; i++)
        env->vector[n++] = env->text[i];
    env->vector[n] = NULL;
}

void command_run(
    const struct command *command, const struct command_job *job, struct command_outcome *outcome)
{
    struct job_environment env;
    make_environment(&env, command, job);
    *outcome = (struct command_outcome){.verdict = COMMAND_FAILED};

    struct run run;
    memset(&run, 0, sizeof(run));
    run.job = job;
    run.kill_at = NEVER;
    /* A little more than the result, for the line end behind it. */
    run.out.max = job->max_result < UINT64_MAX - 16 ? job->max_result + 16 : UINT64_MAX;
    const char *problem =
        child_start(&run.child, command->argv, env.vector, job->payload, job->payload_len);
    if (problem) {
        say(outcome, COMMAND_FAILED, "%s: %s", problem, strerror(errno));
        return;
    }
    run.timeout_at = job->timeout_ms > 0 ? after(now_ms(), job->timeout_ms) : NEVER;
    watch(&run);
    struct child_end end;
    child_reap(&run.child, &end);
    /* What the group wrote before it ended. A process that has left the group may still hold the
       pipes, so their end is not waited for. */
    if (run.child.out >= 0)
        capture_head_read(&run.out, run.child.out);
    if (run.child.err >= 0)
        capture_tail_read(&run.err, run.child.err);
    child_close(&run.child);
    judge(&run, &end, outcome);
    free(run.out.data);
}
