/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <jansson.h>

#include <stdio.h>
#include <string.h>

typedef unsigned long long number;

static const char *durability_name(uint32_t level)
{
    static const char *const names[] = {"unknown", "volatile", "process", "host", "replicated"};

    return names[level < sizeof(names) / sizeof(names[0]) ? level : 0];
}

void report_begin(const struct report *report, const struct portrait *portrait, uint64_t seed)
{
    if (report->json)
        return;
    printf("driver %s %s, durability %s, seed %llu\n", portrait->name, portrait->version,
        durability_name(portrait->durability), (number)seed);
    fflush(stdout);
}

static void print_failure(const struct outcome *outcome)
{
    printf("         %s\n", outcome->text);
    const char *line = journal_line(outcome->journal, 0);
    if (line)
        printf("         What came before%s:\n",
            outcome->journal->nlines > JOURNAL_LINES ? ", the last of it" : "");
    for (uint64_t i = 0; line; line = journal_line(outcome->journal, ++i))
        printf("           %s\n", line);
    printf(
        "         To repeat it: --only %s --seed %llu\n", outcome->clause, (number)outcome->seed);
}

static void print(const struct outcome *outcome)
{
    const char *answer = outcome->kind == OUTCOME_HOLDS     ? "holds"
                         : outcome->kind == OUTCOME_MISSING ? "not offered"
                         : outcome->by_turn                 ? "fails in a turn"
                                                            : "fails";

    printf("%-8s %-60s %s", outcome->clause, outcome->name, answer);
    if (outcome->kind == OUTCOME_MISSING)
        printf(": %s", outcome->text);
    printf("\n");
    if (outcome->kind == OUTCOME_FAILS)
        print_failure(outcome);
    fflush(stdout);
}

/* A driver's text need not be UTF-8, which is all that jansson takes. */
static json_t *text_of(const char *text)
{
    char plain[1024];
    json_t *value = json_string(text);
    size_t i = 0;

    for (; !value && text[i] && i < sizeof(plain) - 1; i++)
        plain[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    plain[i] = 0;
    return value ? value : json_string(plain);
}

static void keep(struct report *report, const struct outcome *outcome)
{
    static const char *const results[] = {"", "holds", "fails", "not offered"};
    json_t *row = json_object();

    json_object_set_new(row, "clause", json_string(outcome->clause));
    json_object_set_new(row, "name", json_string(outcome->name));
    json_object_set_new(row, "result", json_string(results[outcome->kind]));
    json_object_set_new(row, "by_turn", json_boolean(outcome->by_turn));
    if (outcome->kind == OUTCOME_MISSING)
        json_object_set_new(row, "missing", text_of(outcome->text));
    if (outcome->kind == OUTCOME_FAILS) {
        json_t *lines = json_array();
        const char *line = journal_line(outcome->journal, 0);
        for (uint64_t i = 0; line; line = journal_line(outcome->journal, ++i))
            json_array_append_new(lines, text_of(line));
        json_object_set_new(row, "failure", text_of(outcome->text));
        json_object_set_new(row, "history", lines);
        json_object_set_new(row, "seed", json_integer((json_int_t)outcome->seed));
    }
    if (!report->checks)
        report->checks = json_array();
    json_array_append_new(report->checks, row);
}

void report_add(struct report *report, const struct outcome *outcome)
{
    report->held += outcome->kind == OUTCOME_HOLDS;
    report->missing += outcome->kind == OUTCOME_MISSING;
    if (outcome->kind == OUTCOME_FAILS) {
        report->failed++;
        report->caught_count += report->caught && strcmp(report->caught, outcome->clause) == 0;
    }
    if (report->json)
        keep(report, outcome);
    else
        print(outcome);
}

void report_end(struct report *report, const struct portrait *portrait, uint64_t seed)
{
    if (!report->json) {
        printf("%u hold, %u fail, %u not offered\n", report->held, report->failed, report->missing);
        return;
    }
    json_t *whole = json_object();
    json_object_set_new(whole, "driver", text_of(portrait->name));
    json_object_set_new(whole, "version", text_of(portrait->version));
    json_object_set_new(whole, "path", text_of(portrait->path));
    json_object_set_new(whole, "durability", json_string(durability_name(portrait->durability)));
    json_object_set_new(whole, "seed", json_integer((json_int_t)seed));
    json_object_set_new(whole, "hold", json_integer(report->held));
    json_object_set_new(whole, "fail", json_integer(report->failed));
    json_object_set_new(whole, "not_offered", json_integer(report->missing));
    json_object_set_new(whole, "checks", report->checks ? report->checks : json_array());
    report->checks = NULL;
    json_dumpf(whole, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    printf("\n");
    json_decref(whole);
}
