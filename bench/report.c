/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "stopwatch.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct outcome *report_outcome(struct report *report, const struct contest *contest)
{
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    if (!outcome)
        return NULL;
    outcome->contest = *contest;
    if (report->last_outcome)
        report->last_outcome->next = outcome;
    else
        report->outcomes = outcome;
    report->last_outcome = outcome;
    return outcome;
}

void outcome_add(struct outcome *outcome, size_t side, const struct sample *sample)
{
    struct track *track = &outcome->tracks[side];
    if (track->rounds == CONTEST_ROUNDS)
        return;
    for (size_t m = 0; m < CONTEST_MEASURES; m++)
        track->values[m][track->rounds] = sample->values[m];
    track->rounds++;
    track->dispatched += sample->dispatched;
    track->handled += sample->handled;
}

void report_omit(struct report *report, const char *what, const char *why)
{
    struct omission *omission = calloc(1, sizeof(*omission));
    if (!omission)
        return;
    snprintf(omission->what, sizeof(omission->what), "%s", what);
    snprintf(omission->why, sizeof(omission->why), "%s", why);
    if (report->last_omission)
        report->last_omission->next = omission;
    else
        report->omissions = omission;
    report->last_omission = omission;
}

/* Quantile of a track's rounds, on a copy: the order of the rounds is part of the report. */
static double track_quantile(const struct track *track, size_t measure, double part)
{
    double sorted[CONTEST_ROUNDS];
    memcpy(sorted, track->values[measure], sizeof(sorted));
    return stopwatch_quantile(sorted, track->rounds, part);
}

/* Dray's median in terms of a peer's; below 0 if one of them has none. */
static double ratio_to(const struct outcome *outcome, size_t side, size_t measure)
{
    double own = track_quantile(&outcome->tracks[0], measure, 0.5);
    double peer = track_quantile(&outcome->tracks[side], measure, 0.5);
    return own >= 0 && peer > 0 ? own / peer : -1;
}

/* "1 234 567", or "12.3" for small numbers. */
static const char *grouped(double value, char out[32])
{
    if (value < 1000) {
        snprintf(out, 32, value < 100 ? "%.1f" : "%.0f", value);
        return out;
    }
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%.0f", value);
    int at = 0;
    for (int i = 0; i < len && at < 30; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ' ';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

void report_begin(const struct report *report)
{
    if (!report->table)
        return;
    printf("dray-bench: driver %s, durability %s, %s%s\n", report->driver, report->durability,
        report->store[0] ? "store " : "no file", report->store);
    printf("%u interleaved rounds of up to %" PRIu64 " jobs, %ld processors; medians\n",
        report->rounds, report->jobs, sysconf(_SC_NPROCESSORS_ONLN));
}

static void print_side(const struct outcome *outcome, size_t side, size_t measure)
{
    const struct track *track = &outcome->tracks[side];
    double median = track_quantile(track, measure, 0.5);
    if (median < 0)
        return;
    char mid[32];
    char low[32];
    char high[32];
    printf("  %-32s %12s %-9s  %10s .. %-10s", outcome->contest.sides[side].name,
        grouped(median, mid), outcome->contest.measures[measure].unit,
        grouped(track_quantile(track, measure, 0), low),
        grouped(track_quantile(track, measure, 1), high));
    double ratio = side > 0 ? ratio_to(outcome, side, measure) : -1;
    if (ratio >= 0)
        printf("  %.2f", ratio);
    putchar('\n');
}

void report_progress(const struct report *report, struct outcome *outcome)
{
    if (!report->table)
        return;
    const struct contest *contest = &outcome->contest;
    for (size_t m = 0; m < contest->nmeasures; m++) {
        if (track_quantile(&outcome->tracks[0], m, 0.5) < 0)
            continue;
        char title[96];
        snprintf(title, sizeof(title), "%s %s", contest->name,
            contest->nmeasures > 1 ? contest->measures[m].name : "");
        printf("\n%-34s %12s %-9s  %10s .. %-10s  dray / peer\n", title, "median", "", "lowest",
            "highest");
        for (size_t i = 0; i < contest->nsides; i++)
            print_side(outcome, i, m);
    }
    fflush(stdout);
}

void report_end(const struct report *report)
{
    if (!report->table)
        return;
    for (const struct omission *o = report->omissions; o; o = o->next)
        printf("%snot measured: %s: %s\n", o == report->omissions ? "\n" : "", o->what, o->why);
}

/* {"rate": {"unit", "median", "runs": []}} and, for peers, "ratio". */
static json_t *measures_json(const struct outcome *outcome, size_t side)
{
    const struct track *track = &outcome->tracks[side];
    json_t *measures = json_object();
    for (size_t m = 0; m < outcome->contest.nmeasures; m++) {
        double median = track_quantile(track, m, 0.5);
        if (median < 0)
            continue;
        json_t *runs = json_array();
        for (unsigned r = 0; r < track->rounds; r++)
            json_array_append_new(runs, json_real(track->values[m][r]));
        json_t *one = json_pack("{s:s, s:f, s:o}", "unit", outcome->contest.measures[m].unit,
            "median", median, "runs", runs);
        double ratio = side > 0 ? ratio_to(outcome, side, m) : -1;
        if (ratio >= 0)
            json_object_set_new(one, "ratio", json_real(ratio));
        json_object_set_new(measures, outcome->contest.measures[m].name, one);
    }
    return measures;
}

static json_t *outcome_json(const struct outcome *outcome)
{
    json_t *sides = json_array();
    for (size_t i = 0; i < outcome->contest.nsides; i++) {
        const struct track *track = &outcome->tracks[i];
        json_array_append_new(
            sides, json_pack("{s:s, s:I, s:I, s:o}", "name", outcome->contest.sides[i].name,
                       "dispatched", (json_int_t)track->dispatched, "handled",
                       (json_int_t)track->handled, "measures", measures_json(outcome, i)));
    }
    return json_pack("{s:s, s:s, s:o}", "tier", outcome->contest.tier, "name",
        outcome->contest.name, "sides", sides);
}

int report_json(const struct report *report, FILE *out)
{
    json_t *contests = json_array();
    for (const struct outcome *o = report->outcomes; o; o = o->next)
        json_array_append_new(contests, outcome_json(o));
    json_t *omitted = json_array();
    for (const struct omission *o = report->omissions; o; o = o->next)
        json_array_append_new(omitted, json_pack("{s:s, s:s}", "what", o->what, "why", o->why));
    json_t *root = json_pack("{s:s, s:s, s:s?, s:I, s:i, s:i, s:o, s:o}", "driver", report->driver,
        "durability", report->durability, "store", report->store[0] ? report->store : NULL, "jobs",
        (json_int_t)report->jobs, "rounds", (int)report->rounds, "processors",
        (int)sysconf(_SC_NPROCESSORS_ONLN), "contests", contests, "not_measured", omitted);
    int rc = -1;
    if (root && json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0)
        rc = fputc('\n', out) == EOF || fflush(out) == EOF ? -1 : 0;
    json_decref(root);
    return rc;
}

void report_free(struct report *report)
{
    while (report->outcomes) {
        struct outcome *next = report->outcomes->next;
        free(report->outcomes);
        report->outcomes = next;
    }
    while (report->omissions) {
        struct omission *next = report->omissions->next;
        free(report->omissions);
        report->omissions = next;
    }
}
