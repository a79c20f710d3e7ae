/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "json_out.h"
#include "table.h"
#include "verbs.h"

#include <dray/text.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WATCH_DEFAULT_MS 2000

struct status_values {
    const char *queue;
    const char *watch; /* NULL: once; "": every two seconds */
    int reset;
};

static const struct option options[] = {
    OPT_TEXT(struct status_values, queue, "queue", "NAME", "of one queue"),
    OPT_OPTIONAL(struct status_values, watch, "watch", "EVERY",
        "again and again, every two seconds if not said"),
    OPT_FLAG(struct status_values, reset, "reset", "set the totals to zero, after showing them"),
    OPT_END,
};

static void queue_json(struct json_out *out, const struct dray_queue_stats *queue)
{
    json_object(out, NULL);
    json_text(out, "name", queue->name);
    json_uint(out, "ready", queue->ready);
    json_uint(out, "delayed", queue->delayed);
    json_uint(out, "retrying", queue->retrying);
    json_uint(out, "parked", queue->parked);
    json_uint(out, "active", queue->active);
    json_uint(out, "dead", queue->dead);
    json_uint(out, "done", queue->done);
    json_bool(out, "paused", queue->paused);
    json_end_object(out);
}

static void print_json(const char *driver, const struct dray_stats *stats)
{
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "driver", driver);
    json_array(&out, "queues");
    for (size_t i = 0; i < stats->nqueues; i++)
        queue_json(&out, &stats->queues[i]);
    json_end_array(&out);
    json_object(&out, "totals");
    json_uint(&out, "pushed", stats->pushed);
    json_uint(&out, "completed", stats->completed);
    json_uint(&out, "failed", stats->failed);
    json_uint(&out, "retried", stats->retried);
    json_uint(&out, "dead", stats->dead);
    json_end_object(&out);
    json_object(&out, "by_type");
    for (size_t i = 0; i < stats->ntypes; i++) {
        json_object(&out, stats->types[i].type);
        json_uint(&out, "queued", stats->types[i].queued);
        json_uint(&out, "completed", stats->types[i].completed);
        json_uint(&out, "failed", stats->types[i].failed);
        json_uint(&out, "dead", stats->types[i].dead);
        json_end_object(&out);
    }
    json_end_object(&out);
    json_rate(&out, "success_rate", stats->success_rate);
    json_rate(&out, "failure_rate", stats->failure_rate);
    json_rate(&out, "average_processing_time_ms", stats->average_processing_time_ms);
    json_end_object(&out);
    json_finish(&out);
}

/* Numbers as the cells of a row: texts stay valid until the next call. */
static void number_row(
    struct table *table, const char *const *lead, size_t nlead, const uint64_t *n, size_t count)
{
    static char texts[TABLE_COLUMNS_MAX][24];
    const char *cells[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < nlead; i++)
        cells[i] = lead[i];
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%" PRIu64, n[i]);
        cells[nlead + i] = texts[i];
    }
    table_row(table, cells);
}

/* For programs each line begins with what it is about: queue, type or total. For people the table's
   heading says it, so the column of that word is left out. */
static int print_queues(const struct cli *cli, const struct dray_stats *stats)
{
    static const char *const headings[] = {
        "", "QUEUE", "READY", "DELAYED", "RETRYING", "PARKED", "ACTIVE", "DEAD", "DONE", "PAUSED"};
    size_t skip = cli->out_is_terminal ? 1 : 0;
    struct table table;
    table_start(&table, headings + skip, 10 - skip, cli->out_is_terminal);
    for (size_t i = 0; i < stats->nqueues; i++) {
        const struct dray_queue_stats *q = &stats->queues[i];
        char n[7][24];
        const uint64_t counts[] = {
            q->ready, q->delayed, q->retrying, q->parked, q->active, q->dead, q->done};
        const char *cells[10] = {"queue", q->name};
        for (size_t k = 0; k < 7; k++) {
            snprintf(n[k], sizeof(n[k]), "%" PRIu64, counts[k]);
            cells[2 + k] = n[k];
        }
        cells[9] = q->paused ? "yes" : "no";
        table_row(&table, cells + skip);
    }
    if (stats->nqueues == 0 && cli->out_is_terminal)
        puts("No queue has a job yet.");
    return table_finish(&table);
}

static int print_types(const struct cli *cli, const struct dray_stats *stats)
{
    static const char *const headings[] = {"", "TYPE", "QUEUED", "COMPLETED", "FAILED", "DEAD"};
    size_t skip = cli->out_is_terminal ? 1 : 0;
    struct table table;
    table_start(&table, headings + skip, 6 - skip, cli->out_is_terminal);
    for (size_t i = 0; i < stats->ntypes; i++) {
        const struct dray_type_stats *t = &stats->types[i];
        const char *lead[] = {"type", t->type};
        const uint64_t counts[] = {t->queued, t->completed, t->failed, t->dead};
        number_row(&table, lead + skip, 2 - skip, counts, 4);
    }
    if (stats->ntypes > 0 && cli->out_is_terminal)
        putchar('\n');
    return table_finish(&table);
}

static void print_totals_for_people(const struct dray_stats *stats)
{
    printf("\nSince the last reset: %" PRIu64 " pushed, %" PRIu64 " completed, %" PRIu64
           " dead; %" PRIu64 " attempts failed, %" PRIu64 " retried.\n",
        stats->pushed, stats->completed, stats->dead, stats->failed, stats->retried);
    if (stats->success_rate >= 0)
        printf("%.1f %% of attempts succeeded.", stats->success_rate * 100);
    if (stats->average_processing_time_ms >= 0)
        printf(" An attempt took %.3g ms on average.", stats->average_processing_time_ms);
    if (stats->success_rate >= 0 || stats->average_processing_time_ms >= 0)
        putchar('\n');
}

static void print_totals(const struct dray_stats *stats)
{
    printf("total\tpushed\t%" PRIu64 "\n", stats->pushed);
    printf("total\tcompleted\t%" PRIu64 "\n", stats->completed);
    printf("total\tfailed\t%" PRIu64 "\n", stats->failed);
    printf("total\tretried\t%" PRIu64 "\n", stats->retried);
    printf("total\tdead\t%" PRIu64 "\n", stats->dead);
    if (stats->success_rate >= 0)
        printf("total\tsuccess_rate\t%.4f\n", stats->success_rate);
    if (stats->failure_rate >= 0)
        printf("total\tfailure_rate\t%.4f\n", stats->failure_rate);
    if (stats->average_processing_time_ms >= 0)
        printf("total\taverage_processing_time_ms\t%.3f\n", stats->average_processing_time_ms);
}

static int print_once(struct cli *cli)
{
    const struct status_values *values = cli->values;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(cli->dray, values->queue, &stats, &error) != DRAY_OK)
        return report(cli, &error);
    int lost = 0;
    if (cli->json) {
        print_json(dray_get_info(cli->dray)->driver, stats);
    } else {
        if (values->watch && cli->out_is_terminal)
            fputs("\033[H\033[2J", stdout);
        lost |= print_queues(cli, stats);
        lost |= print_types(cli, stats);
        if (cli->out_is_terminal)
            print_totals_for_people(stats);
        else
            print_totals(stats);
    }
    dray_stats_free(stats);
    return lost ? fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory") : EXIT_DONE;
}

static int watch(struct cli *cli, uint64_t every_ms)
{
    struct timespec pause = {(time_t)(every_ms / 1000), (long)(every_ms % 1000) * 1000000};
    for (;;) {
        int status = print_once(cli);
        if (status != EXIT_DONE || fflush(stdout) != 0)
            return status;
        nanosleep(&pause, NULL);
        if (!cli->json && !cli->out_is_terminal)
            putchar('\n');
    }
}

static int run(struct cli *cli)
{
    const struct status_values *values = cli->values;
    uint64_t every_ms = WATCH_DEFAULT_MS;
    if (values->watch && values->reset)
        return misuse(cli, "--watch and --reset do not go together");
    if (values->watch && values->watch[0] &&
        (dray_parse_duration(values->watch, &every_ms) != DRAY_OK || every_ms == 0))
        return misuse(cli, "--watch: '%.64s' is not a duration; write 500ms or 2s", values->watch);
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    note_if_private(cli);
    status = require_queue(cli, values->queue);
    if (status != EXIT_DONE)
        return status;
    if (values->watch)
        return watch(cli, every_ms);
    status = print_once(cli);
    if (status != EXIT_DONE || !values->reset)
        return status;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_reset_totals(cli->dray, values->queue, &error) != DRAY_OK)
        return report(cli, &error);
    note(cli, "the totals are zero again");
    return EXIT_DONE;
}

const struct verb verb_status = {
    .name = "status",
    .summary = "jobs by queue and state, totals, rates",
    .words = "",
    .options = options,
    .values_size = sizeof(struct status_values),
    .notes = "Of the delayed jobs, RETRYING wait for another attempt and PARKED for a worker "
             "that knows their type; the rest is scheduled.",
    .examples = {"dray status", "dray status --watch=1s", "dray status --json | jq .queues"},
    .run = run,
};
