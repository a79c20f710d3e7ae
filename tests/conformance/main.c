/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray-conformance: proves that a driver keeps the delivery contract. `dray driver test` runs it.
 *
 * Exit status: 0 all that the driver offers holds, 1 something fails, 2 wrong usage, 70 the kit
 * itself failed, 78 the configuration is wrong or the driver was refused.
 */
#include "dray/dray.h"
#include "folder.h"
#include "run.h"

#include <jansson.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_FAILS = 1, STATUS_USAGE = 2, STATUS_INTERNAL = 70, STATUS_CONFIG = 78 };

#define QUICK_HISTORIES_S 15

struct command {
    struct run_plan plan;
    struct report report;
    int clauses, help;
};

static volatile sig_atomic_t stop;

static const char usage[] =
    "usage: dray driver test [CONFIG] [OPTION...]\n"
    "       dray-conformance CONFIG | DRIVER.so [OPTION...]\n"
    "  -o NAME=VALUE   an option of the driver, over the configuration; in it {tmp} is a fresh\n"
    "                  folder and {unique} a fresh word for each store\n"
    "  --driver NAME   this driver, whatever the configuration says\n"
    "  --only CLAUSE   this clause alone; the random ones are called history and faults\n"
    "  --quick         fewer random histories, failing allocations, payloads and kills\n"
    "  --seed N        where the random histories begin; a failure tells its own\n"
    "  --histories N   how many of them; --steps N: how long each is\n"
    "  --patience S    a call that takes longer hangs; 30 seconds if not given\n"
    "  --trace         tell each call\n"
    "  --clauses       list the checks and run none\n"
    "  --json          one JSON object instead of the table\n"
    "  --caught CLAUSE succeed if a check of this clause fails: for drivers broken on purpose\n";

/* One line, as `dray` itself complains. */
static int complain(
    const struct command *command, int status, const char *code, const struct dray_error *error)
{
    if (!command->report.json) {
        fprintf(stderr, "%s%s\n", error->line ? "" : "dray-conformance: ", error->text);
        return status;
    }
    json_t *line = json_pack("{s:{s:s,s:s,s:o,s:o}}", "error", "code", code, "message", error->text,
        "file", error->file[0] ? json_string(error->file) : json_null(), "line",
        error->line ? json_integer(error->line) : json_null());
    char *text = line ? json_dumps(line, 0) : NULL;
    fprintf(stderr, "%s\n", text ? text : "{\"error\": {}}");
    free(text);
    json_decref(line);
    return status;
}

static int misuse(const struct command *command, const char *what, const char *word)
{
    struct dray_error error = DRAY_ERROR_INIT;

    snprintf(error.text, sizeof(error.text), "%s%.100s; dray-conformance -h shows how", what, word);
    return complain(command, STATUS_USAGE, "usage", &error);
}

static int add_option(struct command *command, char *text)
{
    struct target_wish *wish = &command->plan.wish;
    char *equals = strchr(text, '=');

    if (!equals || equals == text || wish->nsettings == TARGET_SETTINGS_MAX)
        return 0;
    *equals = 0;
    wish->settings[wish->nsettings++] = (struct dray_setting){text, equals + 1};
    return 1;
}

static int number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end || text[0] == '-' || value > most)
        return 0;
    *out = value;
    return 1;
}

static int small_number(const char *text, uint32_t *out)
{
    uint64_t value = 0;

    if (!number(text, UINT32_MAX / 2, &value) || !value)
        return 0;
    *out = (uint32_t)value;
    return 1;
}

static int read_flag(struct command *command, const char *word)
{
    const struct {
        const char *name;
        int *flag;
    } flags[] = {{"--quick", &command->plan.quick}, {"--trace", &command->plan.trace},
        {"--json", &command->report.json}, {"--clauses", &command->clauses},
        {"--help", &command->help}, {"-h", &command->help}};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(word, flags[i].name) == 0)
            return *flags[i].flag = 1;
    }
    return 0;
}

/* 0 unless the pair is an option and its value is one. */
static int read_pair(struct command *command, const char *word, char *value)
{
    struct run_plan *plan = &command->plan;
    const struct {
        const char *name;
        const char **text;
        uint32_t *number;
    } pairs[] = {{"--only", &plan->only, NULL}, {"--caught", &command->report.caught, NULL},
        {"--driver", &plan->wish.driver, NULL}, {"--config", &plan->wish.config, NULL},
        {"-c", &plan->wish.config, NULL}, {"--histories", NULL, &plan->histories},
        {"--steps", NULL, &plan->steps}, {"--patience", NULL, &plan->limits.still_s}};

    if (strcmp(word, "-o") == 0)
        return add_option(command, value);
    if (strcmp(word, "--seed") == 0)
        return number(value, UINT64_MAX / 2, &plan->seed);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (strcmp(word, pairs[i].name) != 0)
            continue;
        if (pairs[i].number)
            return small_number(value, pairs[i].number);
        *pairs[i].text = value;
        return 1;
    }
    return 0;
}

static int is_object(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && strcmp(path + len - 3, ".so") == 0;
}

/* What is no option: a shared object, or a configuration, which wins over -c. */
static int read_word(struct command *command, char *word, int *seen)
{
    struct target_wish *wish = &command->plan.wish;
    static char slashed[4096];

    if ((*seen)++)
        return misuse(command, "one word too many: ", word);
    if (!is_object(word)) {
        wish->config = word;
        return 0;
    }
    snprintf(slashed, sizeof(slashed), "%s%s", strchr(word, '/') ? "" : "./", word);
    wish->driver = slashed;
    wish->config = NULL;
    return 0;
}

static int parse(struct command *command, int argc, char **argv)
{
    struct run_plan *plan = &command->plan;
    int seen = 0, status = 0;

    for (int i = 1; i < argc; i++)
        command->report.json |= strcmp(argv[i], "--json") == 0;
    for (int i = 1; i < argc && !status; i++) {
        if (read_flag(command, argv[i]))
            continue;
        if (argv[i][0] != '-')
            status = read_word(command, argv[i], &seen);
        else if (i + 1 < argc && read_pair(command, argv[i], argv[i + 1]))
            i++;
        else
            status = misuse(command, "not understood: ", argv[i]);
    }
    plan->limits.whole_s = plan->limits.still_s * 20;
    if (plan->quick) {
        plan->enough_s = plan->histories ? 0 : QUICK_HISTORIES_S;
        plan->histories = plan->histories ? plan->histories : 4;
        plan->faults = 12;
    }
    plan->histories = plan->histories ? plan->histories : 10;
    if (!status && !seen && !plan->wish.config && !plan->wish.driver && !command->clauses &&
        !command->help)
        status = misuse(command, "which driver? Name a configuration or a shared object", "");
    return status;
}

static void print_clause(void *user, const char *clause, const char *name)
{
    (void)user;
    printf("%s\t%s\n", clause, name);
}

struct search {
    const char *clause;
    int found;
};

static void match_clause(void *user, const char *clause, const char *name)
{
    struct search *search = user;

    (void)name;
    search->found |= strcmp(search->clause, clause) == 0;
}

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static int test_driver(struct command *command)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct portrait portrait = {0};
    struct sigaction action = {.sa_handler = on_signal};

    if (!journal_open() || !folder_begin(command->plan.quick))
        return STATUS_INTERNAL;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int code = run_portrait(&command->plan, &portrait, &error);
    if (code == DRAY_OK) {
        report_begin(&command->report, &portrait, command->plan.seed);
        run_checks(&command->plan, &command->report);
        report_end(&command->report, &portrait, command->plan.seed);
    }
    folder_end();
    if (code != DRAY_OK)
        return complain(command, STATUS_CONFIG, dray_code_name(code), &error);
    if (stop)
        return STATUS_FAILS;
    if (command->report.caught)
        return command->report.caught_count ? 0 : STATUS_FAILS;
    return command->report.failed ? STATUS_FAILS : 0;
}

/* The library looks for drivers in a folder beside itself; this program is in that folder. */
static void look_beside(void)
{
    const char *list = getenv("DRAY_DRIVER_PATH");
    char own[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (len <= 0)
        return;
    own[len] = 0;
    *strrchr(own, '/') = 0;
    int needed =
        snprintf(whole, sizeof(whole), "%s%s%s", list ? list : "", list && *list ? ":" : "", own);
    if (needed > 0 && (size_t)needed < sizeof(whole))
        setenv("DRAY_DRIVER_PATH", whole, 1);
}

int main(int argc, char **argv)
{
    static struct command command = {
        .plan = {
            .seed = 1, .steps = 2000, .faults = 1000, .limits = {.still_s = 30, .stop = &stop}}};
    int status = parse(&command, argc, argv);

    if (status)
        return status;
    if (command.help) {
        fputs(usage, stdout);
        return 0;
    }
    if (command.clauses) {
        run_each(print_clause, NULL);
        return 0;
    }
    struct search search = {.clause = command.plan.only};
    if (command.plan.only)
        run_each(match_clause, &search);
    if (command.plan.only && !search.found)
        return misuse(&command, "no check proves the clause ", command.plan.only);
    look_beside();
    return test_driver(&command);
}
