/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "jobs.h"
#include "json_out.h"
#include "lines.h"
#include "verbs.h"

#include <dray/driver.h>
#include <dray/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct push_values {
    const char *queue;
    const char *at;
    const char *unique;
    const char *id;
    const char *name;
    const char *group;
    const char *lines;
    struct option_number delay;
    struct option_number timeout;
    struct option_number priority;
    struct option_number max_attempts;
};

static const struct option options[] = {
    OPT_TEXT(struct push_values, queue, "queue", "NAME", "into this queue"),
    OPT_DURATION(struct push_values, delay, "delay", "D", "run it after so long: 90s, 5m, 1h"),
    OPT_TEXT(struct push_values, at, "at", "TIME", "run it at 2026-12-01T09:00:00Z"),
    OPT_NUMBER(struct push_values, priority, "priority", "0-9", "0 is first; 5 if not given", 0, 9),
    OPT_NUMBER(struct push_values, max_attempts, "max-attempts", "N", "give up after so many", 1,
        UINT32_MAX),
    OPT_DURATION(struct push_values, timeout, "timeout", "D", "how long it may run"),
    OPT_OPTIONAL(struct push_values, unique, "unique", "KEY",
        "not if such a job (same payload, or same KEY) has not ended"),
    OPT_TEXT(struct push_values, id, "id", "ID", "its id; pushing the same job again is safe"),
    OPT_TEXT(struct push_values, name, "name", "TEXT", "for people"),
    OPT_TEXT(struct push_values, group, "group", "KEY", "for limits per key"),
    OPT_OPTIONAL(struct push_values, lines, "lines", "FILE",
        "a job a line, keys as these options; all or none"),
    OPT_END,
};

/* Where jobs run in the pushing process the handlers are needed; elsewhere they are not even
   loaded. */
static int open_for_push(struct cli *cli, int *waits)
{
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    const struct dray_info *info = dray_get_info(cli->dray);
    uint64_t traits = driver_traits(cli);
    *waits = (traits & DRAY_IS_AUTOSTART) != 0;
    if (!info->runs_inline && !*waits) {
        if (!info->shared && strcmp(info->durability, "volatile") == 0)
            return fail(cli, EXIT_CONFIG, DRAY_CONFIG,
                "the driver is %s: the job would be gone with the process; use sqlite or file, or "
                "dispatch from the program",
                info->driver);
        return EXIT_DONE;
    }
    dray_close(cli->dray);
    cli->dray = NULL;
    return open_dray(cli, 0);
}

static void print_id(const struct cli *cli, const char *id)
{
    if (!cli->json) {
        puts(id);
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "id", id);
    json_end_object(&out);
    json_finish(&out);
}

/* The jobs are kept whatever becomes of the output: who cannot be given their ids is told one. */
static int check_output(const struct cli *cli, const char *id, size_t n)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    int sys = errno;
    if (n == 1)
        return fail(cli, EXIT_IO, DRAY_IO, "standard output: %s; job %s was pushed all the same",
            strerror(sys), id);
    return fail(cli, EXIT_IO, DRAY_IO,
        "standard output: %s; all %zu jobs were pushed, the first is %s", strerror(sys), n, id);
}

/* 1: go on waiting; 0: ended. *status is what became of the job. */
static int still_waiting(struct cli *cli, const char *queue, const char *id, int *status)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *job = NULL;
    int code = dray_get(cli->dray, queue, id, &job, &error);
    if (code == DRAY_NOTFOUND)
        return 0;
    if (code != DRAY_OK) {
        *status = report(cli, &error);
        return 0;
    }
    int goes_on = 0;
    if (strcmp(job->state, "dead") == 0)
        *status = fail(cli, EXIT_FAILED, DRAY_FAILED, "job %s failed for good: %s", id,
            job->last_error ? job->last_error : "no error given");
    else if (strcmp(job->state, "delayed") == 0 && job->releases > 0)
        *status = fail(cli, EXIT_FAILED, DRAY_FAILED,
            "job %s: no handler for the type %s; it is gone with this process", id, job->type);
    else
        goes_on = strcmp(job->state, "done") != 0;
    dray_job_info_free(job);
    return goes_on;
}

/* On isolate the job runs beside us and is gone with us. */
static int wait_for(struct cli *cli, const char *queue, const char *id)
{
    int status = EXIT_DONE;
    long pause_us = 200;
    while (still_waiting(cli, queue, id, &status)) {
        nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
        pause_us = pause_us < 25000 ? pause_us * 2 : 50000;
    }
    return status;
}

/* All of standard input, or more of it than a payload may have. NULL, and *status, if that fails.
 */
static char *read_payload(const struct cli *cli, int *status)
{
    size_t size = DRAY_PAYLOAD_MAX + 4096;
    char *text = malloc(size + 1);
    if (!text) {
        *status = fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
        return NULL;
    }
    size_t len = fread(text, 1, size, stdin);
    text[len] = 0;
    if (ferror(stdin)) {
        *status = fail(cli, EXIT_IO, DRAY_IO, "standard input: %s", strerror(errno));
        free(text);
        return NULL;
    }
    if (memchr(text, 0, len)) {
        *status = misuse(cli, "standard input holds a zero byte; a payload is one JSON value");
        free(text);
        return NULL;
    }
    /* The line break that echo adds is not part of the value. */
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        text[--len] = 0;
    return text;
}

static int fill_job(const struct cli *cli, struct dray_new_job *job)
{
    const struct push_values *values = cli->values;
    *job = (struct dray_new_job){.type = cli->words[0],
        .queue = values->queue,
        .id = values->id,
        .name = values->name,
        .group = values->group,
        .delay_ms = values->delay.value,
        .timeout_ms = values->timeout.value,
        .max_attempts = (uint32_t)values->max_attempts.value,
        .priority = values->priority.given ? DRAY_PRIORITY((int)values->priority.value) : 0};
    if (values->unique && values->unique[0])
        job->unique = values->unique;
    else if (values->unique)
        job->flags |= DRAY_UNIQUE;
    if (!values->at)
        return EXIT_DONE;
    if (values->delay.given)
        return misuse(cli, "--delay and --at do not go together");
    if (dray_parse_time(values->at, &job->at_ms) != DRAY_OK)
        return misuse(cli, "--at: '%.64s' is not a time; write 2026-12-01T09:00:00Z", values->at);
    return EXIT_DONE;
}

static int push_one(struct cli *cli, const struct dray_new_job *job, int waits)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_dispatched out = {0};
    int code = dray_dispatch(cli->dray, job->type, job->payload, job, &out, &error);
    /* The id even of what was refused as a duplicate, or failed: the caller has a job to look at.
       Of an unknown outcome it is the way to ask again. */
    if (out.id[0] && (code == DRAY_OK || code == DRAY_EXISTS || code == DRAY_DUPLICATE ||
                         code == DRAY_FAILED || code == DRAY_UNKNOWN))
        print_id(cli, out.id);
    if (code != DRAY_OK && code != DRAY_EXISTS)
        return report(cli, &error);
    int status = check_output(cli, out.id, 1);
    return waits && status == EXIT_DONE ? wait_for(cli, job->queue, out.id) : status;
}

static int run_one(struct cli *cli)
{
    struct dray_new_job job = {0};
    int status = cli->nwords > 0 ? fill_job(cli, &job) : misuse(cli, "the type is missing");
    if (status != EXIT_DONE)
        return status;
    char *input = NULL;
    job.payload = cli->nwords > 1 ? cli->words[1] : NULL;
    if (job.payload && strcmp(job.payload, "-") == 0) {
        input = read_payload(cli, &status);
        if (!input)
            return status;
        job.payload = input;
    }
    int waits = 0;
    if (job.payload && !job.payload[0])
        status = misuse(cli, "the payload is empty; it is one JSON value, such as null or {}");
    else
        status = open_for_push(cli, &waits);
    if (status == EXIT_DONE)
        status = push_one(cli, &job, waits);
    free(input);
    return status;
}

/* All lines go into one queue: that of the option, or the one that every line names. */
static int choose_queue(const struct cli *cli, struct lines *lines)
{
    const struct push_values *values = cli->values;
    const char *queue = values->queue ? values->queue : lines->n > 0 ? lines->jobs[0].queue : NULL;
    for (size_t i = 0; i < lines->n; i++) {
        struct dray_new_job *job = &lines->jobs[i];
        if (!values->queue && (!job->queue != !queue))
            return fail_at(cli, EXIT_USAGE, DRAY_INVALID, lines->name, lines->numbers[i],
                "a batch goes into one queue: name the same one in every line, or say --queue");
        if (job->queue && queue && strcmp(job->queue, queue) != 0)
            return fail_at(cli, EXIT_USAGE, DRAY_INVALID, lines->name, lines->numbers[i],
                "a batch goes into one queue: this line says %.64s, not %.64s", job->queue, queue);
        job->queue = queue;
    }
    return EXIT_DONE;
}

/* The first job that is the reason why the batch was refused, or lines->n if none is: the store was
   away, or full, or the batch too large. */
static size_t find_offender(
    const struct lines *lines, const struct dray_dispatched *out, int refusal)
{
    size_t first = lines->n;
    size_t fine = 0;
    for (size_t i = 0; i < lines->n; i++) {
        if (out[i].code == DRAY_OK || out[i].code == DRAY_EXISTS)
            fine++;
        else if (first == lines->n)
            first = i;
    }
    int theirs = refusal == DRAY_DUPLICATE || refusal == DRAY_CONFLICT || refusal == DRAY_FAILED ||
                 refusal == DRAY_INVALID;
    return fine > 0 || theirs ? first : lines->n;
}

static int report_batch(const struct cli *cli, const struct lines *lines,
    const struct dray_dispatched *out, const struct dray_error *error)
{
    size_t i = find_offender(lines, out, error->code);
    if (i == lines->n)
        return report(cli, error);
    /* The library counts jobs, people count lines. */
    int prefix = 0;
    sscanf(error->text, "job %*u of the batch%n", &prefix);
    const char *rest = error->text + prefix;
    const char *lead = prefix > 0 && *rest != ':' ? "this job" : "";
    if (prefix > 0 && *rest == ':')
        rest += strspn(rest, ": ");
    return fail_at(cli, exit_of(error->code), error->code, lines->name, lines->numbers[i], "%s%s%s",
        lead, rest, error->code == DRAY_FAILED ? "" : "; nothing was pushed");
}

static int push_batch(struct cli *cli, const struct lines *lines, int waits)
{
    struct dray_dispatched *out = calloc(lines->n, sizeof(*out));
    if (!out)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_dispatch_batch(cli->dray, lines->jobs, lines->n, out, &error);
    int status = EXIT_DONE;
    int there = code == DRAY_OK || code == DRAY_EXISTS;
    for (size_t i = 0; i < lines->n && (there || code == DRAY_FAILED || code == DRAY_UNKNOWN); i++)
        print_id(cli, out[i].id);
    if (!there)
        status = report_batch(cli, lines, out, &error);
    else
        status = check_output(cli, out[0].id, lines->n);
    for (size_t i = 0; i < lines->n && waits && there; i++) {
        int ended = wait_for(cli, lines->jobs[i].queue, out[i].id);
        status = status == EXIT_DONE ? ended : status;
    }
    free(out);
    return status;
}

static int open_lines(const struct cli *cli, FILE **file, const char **name)
{
    const struct push_values *values = cli->values;
    if (values->lines[0] && cli->nwords > 0)
        return misuse(cli, "--lines has one file");
    if (cli->nwords > 1 || values->at || values->unique || values->id || values->name ||
        values->group || values->delay.given || values->timeout.given || values->priority.given ||
        values->max_attempts.given)
        return misuse(cli, "with --lines, what is not --queue is a key of each line");
    const char *path = values->lines[0] ? values->lines : cli->nwords > 0 ? cli->words[0] : "-";
    if (strcmp(path, "-") == 0) {
        *file = stdin;
        *name = "standard input";
        return EXIT_DONE;
    }
    *name = path;
    *file = fopen(path, "re");
    if (*file)
        return EXIT_DONE;
    int sys = errno;
    return fail(cli, sys == EACCES ? EXIT_DENIED : EXIT_IO, sys == EACCES ? DRAY_DENIED : DRAY_IO,
        "%s: %s", path, strerror(sys));
}

static int run_lines(struct cli *cli)
{
    FILE *file = NULL;
    const char *name = NULL;
    int status = open_lines(cli, &file, &name);
    if (status != EXIT_DONE)
        return status;
    struct lines lines;
    status = lines_read(cli, file, name, &lines);
    if (file != stdin)
        fclose(file);
    if (status == EXIT_DONE)
        status = choose_queue(cli, &lines);
    int waits = 0;
    if (status == EXIT_DONE)
        status = open_for_push(cli, &waits);
    if (status == EXIT_DONE && lines.n == 0)
        note(cli, "%s has no line; nothing was pushed", name);
    else if (status == EXIT_DONE)
        status = push_batch(cli, &lines, waits);
    lines_free(&lines);
    return status;
}

static int run(struct cli *cli)
{
    const struct push_values *values = cli->values;
    return values->lines ? run_lines(cli) : run_one(cli);
}

const struct verb verb_push = {
    .name = "push",
    .summary = "dispatch a job and print its id",
    .words = "TYPE [JSON|-]",
    .max_words = 2,
    .options = options,
    .values_size = sizeof(struct push_values),
    .notes = "The payload is one JSON value; - reads it from standard input.",
    .examples = {"dray push send-welcome '{\"to\": \"ada@example.org\"}'",
        "dray push report --at 2026-12-01T09:00:00Z --unique=nightly",
        "dray push --lines jobs.jsonl --queue mail"},
    .run = run,
};
