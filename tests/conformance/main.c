/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance DRIVER.so: proves that a driver keeps the delivery contract.
 *
 * Prints a table of clauses and checks; the exit status is 0 if all hold, 1 if one fails, 2 for a
 * wrong call. A check that needs a capability or an operation which the driver lacks is shown as
 * not offered.
 */
#include "check.h"
#include "faults.h"
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    const struct dray_driver *driver;
    struct setting settings[SUBJECT_OPTIONS_MAX];
    size_t nsettings;
    const char *only;   /* a clause, or NULL */
    const char *caught; /* a clause that must fail, or NULL */
    uint64_t seed;
    uint32_t histories, steps, faults;
    int trace;
    unsigned held, failed, missing, caught_count;
};

static const char usage[] =
    "usage: conformance DRIVER.so [-o NAME=VALUE]... [--only CLAUSE] [--quick]\n"
    "                   [--seed N] [--histories N] [--steps N] [--trace]\n"
    "                   [--caught CLAUSE]\n"
    "  -o NAME=VALUE   an option of the driver; {tmp} in it is a fresh folder for each store\n"
    "  --only CLAUSE   this clause alone; the random ones are called history and faults\n"
    "  --quick         fewer random histories and failing allocations\n"
    "  --seed N        where the random histories begin; a failure tells its own\n"
    "  --histories N   how many of them\n"
    "  --steps N       how long each is\n"
    "  --trace         tell each step of the random histories\n"
    "  --caught CLAUSE succeed if a check of this clause fails: for drivers broken on purpose\n";

/* What the driver offers, as the bits of check.h. */
static uint64_t offers(const struct dray_driver *driver)
{
    uint64_t can = driver->can;

    can |= driver->extend ? NEED_EXTEND : 0;
    can |= driver->turn ? NEED_TURN : 0;
    can |= driver->change ? NEED_CHANGE : 0;
    can |= driver->list ? NEED_LIST : 0;
    can |= driver->stats ? NEED_STATS : 0;
    can |= driver->max_push >= 8 ? NEED_GROUP : 0;
    can |= driver->max_batch >= 8 ? NEED_BATCH : 0;
    can |= driver->can & DRAY_IS_SHARED ? 0 : NEED_ALONE;
    return can;
}

static void report(
    struct run *run, const char *clause, const char *name, const char *answer, const char *failure)
{
    printf("%-8s %-58s %s\n", clause, name, answer);
    if (failure && failure[0]) {
        printf("         %s\n", failure);
        run->failed++;
        run->caught_count += run->caught && strcmp(run->caught, clause) == 0;
    }
    fflush(stdout);
}

static void run_check(struct run *run, const struct check_row *row, int by_turn)
{
    struct check check;

    memset(&check, 0, sizeof(check));
    check.subject.by_turn = by_turn;
    if (subject_open(&check.subject, run->driver, run->settings, run->nsettings) != DRAY_OK)
        check_fail(&check, "open", 0, "%s", check.subject.error.text);
    else
        row->run(&check);
    subject_close(&check.subject);
    if (!check.failure[0] && check.subject.blocks)
        check_fail(&check, "close", 0, "%ld blocks of memory are left", check.subject.blocks);
    if (check.failure[0] || !by_turn)
        report(run, row->clause, row->name,
            !check.failure[0] ? "holds"
            : by_turn         ? "fails in a turn"
                              : "fails",
            check.failure);
    run->held += !check.failure[0] && !by_turn;
}

static void run_table(struct run *run, const struct check_row *rows)
{
    uint64_t can = offers(run->driver);

    for (; rows->clause; rows++) {
        if (run->only && strcmp(run->only, rows->clause) != 0)
            continue;
        if ((rows->needs & can) != rows->needs) {
            report(run, rows->clause, rows->name, "not offered", NULL);
            run->missing++;
            continue;
        }
        run_check(run, rows, 0);
        if (run->driver->turn)
            run_check(run, rows, 1);
    }
}

static void run_random(struct run *run)
{
    char failure[1024] = "", name[128];
    struct history_plan plan = {.driver = run->driver,
        .settings = run->settings,
        .nsettings = run->nsettings,
        .steps = run->steps,
        .trace = run->trace};

    if (!run->only || strcmp(run->only, "history") == 0) {
        uint32_t n = 0;
        for (; n < run->histories && !failure[0]; n++) {
            plan.seed = run->seed + n;
            history_run(&plan, failure, sizeof(failure));
        }
        snprintf(name, sizeof(name), "%u random histories of %u steps", n, run->steps);
        report(run, "history", name, failure[0] ? "fails" : "holds", failure);
        run->held += !failure[0];
    }
    if (!run->only || strcmp(run->only, "faults") == 0) {
        failure[0] = 0;
        plan.seed = run->seed;
        uint64_t tried = faults_run(&plan, run->faults, failure, sizeof(failure));
        snprintf(name, sizeof(name), "%llu failing allocations", (unsigned long long)tried);
        report(run, "faults", name, failure[0] ? "fails" : "holds", failure);
        run->held += !failure[0];
    }
}

static int add_setting(struct run *run, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals || equals == text || run->nsettings == SUBJECT_OPTIONS_MAX) {
        fprintf(stderr, "conformance: -o takes NAME=VALUE, not %s\n", text);
        return 0;
    }
    *equals = 0;
    run->settings[run->nsettings++] = (struct setting){text, equals + 1};
    return 1;
}

static int number(const char *text, uint64_t *out)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end || text[0] == '-') {
        fprintf(stderr, "conformance: %s is not a number\n", text);
        return 0;
    }
    *out = value;
    return 1;
}

static int parse_pair(struct run *run, const char *option, char *value)
{
    uint64_t count = 0;

    if (strcmp(option, "-o") == 0)
        return add_setting(run, value);
    if (strcmp(option, "--only") == 0)
        return run->only = value, 1;
    if (strcmp(option, "--caught") == 0)
        return run->caught = value, 1;
    if (strcmp(option, "--seed") == 0)
        return number(value, &run->seed);
    if (strcmp(option, "--histories") == 0 && number(value, &count))
        return run->histories = (uint32_t)count, 1;
    if (strcmp(option, "--steps") == 0 && number(value, &count))
        return run->steps = (uint32_t)count, 1;
    return 0;
}

static const char *parse(struct run *run, int argc, char **argv)
{
    const char *path = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            run->histories = 4;
            run->faults = 60;
        } else if (strcmp(argv[i], "--trace") == 0) {
            run->trace = 1;
        } else if (argv[i][0] != '-' && !path) {
            path = argv[i];
        } else if (i + 1 >= argc || !parse_pair(run, argv[i], argv[i + 1])) {
            return NULL;
        } else {
            i++;
        }
    }
    return path;
}

int main(int argc, char **argv)
{
    struct run run = {.seed = 1, .histories = 10, .steps = 2000, .faults = 1000};
    const char *path = parse(&run, argc, argv);
    const struct check_row *tables[] = {
        checks_push, checks_lease, checks_settle, checks_order, checks_change, checks_view};

    if (!path) {
        fputs(usage, stderr);
        return 2;
    }
    run.driver = subject_load(path);
    if (!run.driver)
        return 2;
    printf("driver %s %s, seed %llu\n", run.driver->name, run.driver->version,
        (unsigned long long)run.seed);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        run_table(&run, tables[i]);
    run_random(&run);
    printf("%u hold, %u fail, %u not offered\n", run.held, run.failed, run.missing);
    if (run.caught)
        return run.caught_count ? 0 : 1;
    return run.failed ? 1 : 0;
}
