/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: the first reads every line and writes nothing, the second stores batch by batch. */
#include "cli.h"
#include "json_out.h"
#include "line_reader.h"
#include "transfer.h"
#include "verbs.h"

#include <dray/driver.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A line holds a payload and a result, in the worst case with six bytes for each of theirs. */
#define LINE_MAX_BYTES (16u * DRAY_PAYLOAD_MAX)
#define BATCH_JOBS 500u
#define BATCH_BYTES (4u * 1024 * 1024)
#define REFUSALS_SHOWN 20u

struct import_values {
    int dry_run;
};

static const struct option options[] = {
    OPT_FLAG(struct import_values, dry_run, "dry-run", "say what would be done, store nothing"),
    OPT_END,
};

struct importing {
    struct cli *cli;
    FILE *file;
    FILE *spool; /* a copy of what cannot be read twice, or NULL */
    const char *name;
    off_t start;
    int ended; /* the last line was read */
    uint64_t jobs, imported, skipped, refused, paused;

    /* The batch. */
    struct transfer_line *lines; /* [n]; room for `most`, as in the others */
    struct transfer_line *aside;
    struct dray_job_info *infos; /* of a group */
    struct dray_dispatched *out;
    size_t n, most;
    size_t bytes;
};

/* ---- reading ---- */

static int damaged(const struct importing *im, unsigned number, const char *what)
{
    return fail_at(im->cli, EXIT_IO, DRAY_CORRUPT, im->name, number, "%s", what);
}

static int unreadable(const struct importing *im, const struct line_reader *reader, int got)
{
    if (got == LINE_NO_MEMORY)
        return fail(im->cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    if (got == LINE_TOO_LONG)
        return damaged(im, reader->number, "the line is longer than any job's");
    return fail(im->cli, EXIT_IO, DRAY_IO, "%s: %s", im->name, strerror(errno));
}

/* What a pass does with the lines. */
struct pass {
    int (*job)(struct importing *im, struct transfer_line *line);
    int (*pause)(struct importing *im, const struct transfer_line *line);
};

/* One line of either pass. */
static int read_line(
    struct importing *im, const struct line_reader *reader, const struct pass *pass)
{
    struct transfer_line line;
    if (reader->number > 1 && strspn(reader->text, " \t\r") == reader->len)
        return EXIT_DONE; /* the first line tells the format */
    if (im->ended)
        return damaged(im, reader->number, "there is more behind the last line of the export");
    int status = transfer_read(im->cli, im->name, reader->number, reader->text, reader->len, &line);
    if (status != EXIT_DONE)
        return status;
    if (line.kind == TRANSFER_JOB)
        return pass->job(im, &line);
    if (line.kind == TRANSFER_PAUSED) {
        im->paused++;
        status = pass->pause(im, &line);
    } else if (line.kind == TRANSFER_END) {
        im->ended = 1;
        if (line.jobs != im->jobs)
            status = fail_at(im->cli, EXIT_IO, DRAY_CORRUPT, im->name, reader->number,
                "%" PRIu64 " jobs were exported, but the file holds %" PRIu64, line.jobs, im->jobs);
    }
    transfer_free(&line);
    return status;
}

static int read_all(struct importing *im, FILE *file, FILE *copy, const struct pass *pass)
{
    struct line_reader reader = {.file = file};
    int status = EXIT_DONE;
    int got = LINE_END;
    im->jobs = 0;
    im->paused = 0;
    im->ended = 0;
    while (status == EXIT_DONE && (got = line_next(&reader, LINE_MAX_BYTES)) == LINE_READ) {
        if (copy && (fwrite(reader.text, 1, reader.len, copy) != reader.len ||
                        (reader.whole && putc('\n', copy) == EOF)))
            status = fail(im->cli, EXIT_IO, DRAY_IO,
                "no room for a copy of %s among the temporary files: %s", im->name,
                strerror(errno));
        else
            status = read_line(im, &reader, pass);
    }
    if (status == EXIT_DONE && got < 0)
        status = unreadable(im, &reader, got);
    else if (status == EXIT_DONE && reader.number == 0)
        status = damaged(im, 0, "the file is empty, not an export");
    else if (status == EXIT_DONE && !im->ended)
        status = damaged(im, reader.number,
            "the file ends here, without the line that counts its jobs: it was cut off");
    line_reader_free(&reader);
    return status;
}

/* ---- the first pass ---- */

/* What would become of it. Whether its unique key is held shows only when it is stored. */
static int foresee(struct importing *im, const struct dray_job_info *job)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *there = NULL;
    int code = dray_get(im->cli->dray, job->queue, job->id, &there, &error);
    if (code == DRAY_NOTFOUND || code == DRAY_UNSUPPORTED) {
        im->imported++;
        return EXIT_DONE;
    }
    if (code != DRAY_OK)
        return report(im->cli, &error);
    const char *key = job->unique_key ? job->unique_key : "";
    size_t len = job->payload_len ? job->payload_len : strlen(job->payload);
    int same = strcmp(there->type, job->type) == 0 &&
               strcmp(there->unique_key ? there->unique_key : "", key) == 0 &&
               there->payload_len == len && memcmp(there->payload, job->payload, len) == 0;
    im->skipped += (uint64_t)same;
    im->refused += (uint64_t)!same;
    dray_job_info_free(there);
    return EXIT_DONE;
}

static int check_job(struct importing *im, struct transfer_line *line)
{
    const struct import_values *values = im->cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    int status = EXIT_DONE;
    int code = dray_restore(im->cli->dray, &line->job, 1, DRAY_RESTORE_CHECK, NULL, &error);
    if (code != DRAY_OK)
        status = fail_at(im->cli, exit_of(code), code, im->name, line->number, "%s", error.text);
    else if (values->dry_run)
        status = foresee(im, &line->job);
    im->jobs++;
    transfer_free(line);
    return status;
}

/* Is it a name at all? A job in that queue would tell. */
static int check_pause(struct importing *im, const struct transfer_line *line)
{
    const struct dray_job_info job = {.id = "x",
        .queue = line->job.queue,
        .type = "x",
        .state = "ready",
        .payload = "null",
        .priority = DRAY_PRIORITY_NORMAL};
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_restore(im->cli->dray, &job, 1, DRAY_RESTORE_CHECK, NULL, &error);
    if (code == DRAY_OK)
        return EXIT_DONE;
    return fail_at(im->cli, exit_of(code), code, im->name, line->number, "%s", error.text);
}

static const struct pass first_pass = {check_job, check_pause};

/* ---- the second pass ---- */

static void clear_batch(struct importing *im)
{
    for (size_t i = 0; i < im->n; i++)
        transfer_free(&im->lines[i]);
    im->n = 0;
    im->bytes = 0;
}

/* A group goes into one queue: that of the first line. Its lines go to the front, in order; how
   many they are. */
static size_t choose_group(struct importing *im)
{
    size_t n = 0, others = 0;
    const char *queue = im->lines[0].job.queue;
    for (size_t i = 0; i < im->n; i++) {
        if (strcmp(im->lines[i].job.queue, queue) != 0)
            im->aside[others++] = im->lines[i];
        else
            im->lines[n++] = im->lines[i];
    }
    memcpy(im->lines + n, im->aside, others * sizeof(*im->lines));
    return n;
}

static void name_refused(const struct importing *im, size_t i)
{
    const struct transfer_line *line = &im->lines[i];
    if (im->refused > REFUSALS_SHOWN)
        return;
    if (im->out[i].code == DRAY_CONFLICT)
        fail_at(im->cli, EXIT_CONFLICT, DRAY_CONFLICT, im->name, line->number,
            "job %s is there already with other content; it is left out", line->job.id);
    else
        fail_at(im->cli, EXIT_CONFLICT, DRAY_DUPLICATE, im->name, line->number,
            "job %s: job %s, which has not ended, holds its unique key; it is left out",
            line->job.id, im->out[i].id);
}

/* Takes the first `n` lines, or those of them that the store refuses for good, out of the batch;
   returns how many are left of them. */
static size_t drop(struct importing *im, size_t n, int refused_alone)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        int code = im->out[i].code;
        int refused = code == DRAY_DUPLICATE || code == DRAY_CONFLICT;
        if (refused_alone && !refused) {
            im->lines[kept++] = im->lines[i];
            continue;
        }
        if (refused) {
            im->refused++;
            name_refused(im, i);
        }
        transfer_free(&im->lines[i]);
    }
    memmove(im->lines + kept, im->lines + n, (im->n - n) * sizeof(*im->lines));
    im->n -= n - kept;
    return kept;
}

static int store_group(struct importing *im)
{
    size_t n = choose_group(im);
    while (n > 0) {
        struct dray_error error = DRAY_ERROR_INIT;
        for (size_t i = 0; i < n; i++)
            im->infos[i] = im->lines[i].job;
        int code = dray_restore(im->cli->dray, im->infos, n, 0, im->out, &error);
        if (code == DRAY_OK)
            break;
        size_t kept = code == DRAY_DUPLICATE || code == DRAY_CONFLICT ? drop(im, n, 1) : n;
        if (kept == n)
            return fail_at(im->cli, exit_of(code), code, im->name, im->lines[0].number,
                "%s; %" PRIu64 " jobs are in: import the file again to go on", error.text,
                im->imported);
        n = kept;
    }
    for (size_t i = 0; i < n; i++) {
        im->skipped += im->out[i].code == DRAY_EXISTS;
        im->imported += im->out[i].code != DRAY_EXISTS;
    }
    drop(im, n, 0);
    return EXIT_DONE;
}

static int store_batch(struct importing *im)
{
    int status = EXIT_DONE;
    while (status == EXIT_DONE && im->n > 0)
        status = store_group(im);
    im->bytes = 0;
    return status;
}

static int add_job(struct importing *im, struct transfer_line *line)
{
    int status = EXIT_DONE;
    if (im->n > 0 && (im->n == im->most || im->bytes + line->len > BATCH_BYTES))
        status = store_batch(im);
    if (status != EXIT_DONE) {
        transfer_free(line);
        return status;
    }
    im->lines[im->n++] = *line;
    im->bytes += line->len;
    im->jobs++;
    return EXIT_DONE;
}

static int pause_queue(struct importing *im, const struct transfer_line *line)
{
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_pause(im->cli->dray, line->job.queue, &error);
    if (code == DRAY_OK)
        return EXIT_DONE;
    return fail_at(im->cli, exit_of(code), code, im->name, line->number, "%s", error.text);
}

static const struct pass second_pass = {add_job, pause_queue};

static int store_all(struct importing *im)
{
    FILE *file = im->spool ? im->spool : im->file;
    if (fseeko(file, im->spool ? 0 : im->start, SEEK_SET) != 0)
        return fail(im->cli, EXIT_IO, DRAY_IO, "%s: %s", im->name, strerror(errno));
    im->most = driver_max_push(im->cli);
    if (im->most > BATCH_JOBS)
        im->most = BATCH_JOBS;
    im->lines = calloc(im->most, sizeof(*im->lines));
    im->aside = calloc(im->most, sizeof(*im->aside));
    im->infos = calloc(im->most, sizeof(*im->infos));
    im->out = calloc(im->most, sizeof(*im->out));
    int status = EXIT_DONE;
    if (!im->lines || !im->aside || !im->infos || !im->out)
        status = fail(im->cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    if (status == EXIT_DONE)
        status = read_all(im, file, NULL, &second_pass);
    if (status == EXIT_DONE && im->n > 0)
        status = store_batch(im);
    clear_batch(im);
    free(im->lines);
    free(im->aside);
    free(im->infos);
    free(im->out);
    return status;
}

/* ---- the verb ---- */

static void tell(const struct importing *im)
{
    const struct import_values *values = im->cli->values;
    if (!im->cli->json) {
        note(im->cli,
            "%" PRIu64 " of %" PRIu64 " jobs %s, %" PRIu64 " were there already, %" PRIu64
            " left out",
            im->imported, im->jobs, values->dry_run ? "would be imported" : "imported", im->skipped,
            im->refused);
        if (im->paused > 0)
            note(im->cli, "%" PRIu64 " queue%s %s paused, as in the export", im->paused,
                im->paused == 1 ? "" : "s",
                values->dry_run   ? "would be"
                : im->paused == 1 ? "is"
                                  : "are");
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_uint(&out, "jobs", im->jobs);
    json_uint(&out, "imported", im->imported);
    json_uint(&out, "skipped", im->skipped);
    json_uint(&out, "refused", im->refused);
    json_uint(&out, "paused", im->paused);
    json_bool(&out, "dry_run", values->dry_run);
    json_end_object(&out);
    json_finish(&out);
}

static int open_source(struct importing *im)
{
    const struct cli *cli = im->cli;
    const char *path = cli->nwords > 0 ? cli->words[0] : "-";
    struct stat st;
    if (strcmp(path, "-") == 0) {
        im->file = stdin;
        im->name = "standard input";
    } else {
        im->name = path;
        im->file = fopen(path, "re");
    }
    if (!im->file || fstat(fileno(im->file), &st) != 0)
        return fail(cli, errno == EACCES ? EXIT_DENIED : EXIT_IO,
            errno == EACCES ? DRAY_DENIED : DRAY_IO, "%s: %s", path, strerror(errno));
    if (S_ISREG(st.st_mode) && (im->start = ftello(im->file)) >= 0)
        return EXIT_DONE;
    im->spool = tmpfile();
    return im->spool ? EXIT_DONE
                     : fail(cli, EXIT_IO, DRAY_IO, "no temporary file for a copy of %s: %s",
                           im->name, strerror(errno));
}

static int import_all(struct importing *im)
{
    const struct import_values *values = im->cli->values;
    int status = open_source(im);
    if (status == EXIT_DONE)
        status = read_all(im, im->file, im->spool, &first_pass);
    if (status == EXIT_DONE && !values->dry_run)
        status = store_all(im);
    if (status != EXIT_DONE)
        return status;
    tell(im);
    return im->refused > 0 ? EXIT_CONFLICT : EXIT_DONE;
}

static int run(struct cli *cli)
{
    struct importing im = {.cli = cli};
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status == EXIT_DONE)
        status = require_lasting(cli);
    if (status == EXIT_DONE)
        status = import_all(&im);
    if (im.file && im.file != stdin)
        fclose(im.file);
    if (im.spool)
        fclose(im.spool);
    return status;
}

const struct verb verb_import = {
    .name = "import",
    .summary = "take in the jobs that export wrote",
    .words = "[FILE|-]",
    .max_words = 1,
    .options = options,
    .values_size = sizeof(struct import_values),
    .notes = "Jobs keep their id, state, attempts and times; one that was running is ready "
             "again, and a queue that was paused is paused. Every line is checked before the first "
             "is stored. Jobs that are there "
             "already are skipped, so a second import is harmless. Exit status 5: some were "
             "left out because their id or unique key is another job's.",
    .examples = {"dray import jobs.jsonl", "dray import --dry-run jobs.jsonl",
        "dray export -c old.yaml | dray import -c new.yaml"},
    .run = run,
};
