/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "check.h"
#include "faults.h"
#include "history.h"
#include "tracks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What a child is to do, and what it learned of the driver. */
struct task {
    const struct run_plan *plan;
    const struct check_row *row; /* NULL: something else */
    int by_turn;
    uint64_t seed;
};

static const struct check_row *const tables[] = {checks_push, checks_bytes, checks_lease,
    checks_settle, checks_order, checks_change, checks_view, checks_store, checks_shared,
    checks_crowd, checks_link};

#define TABLES (sizeof(tables) / sizeof(tables[0]))
#define HISTORIES "random histories agree with the model"
#define FAULTS "failing allocations change nothing"

void run_each(void (*each)(void *user, const char *clause, const char *name), void *user)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (const struct check_row *row = tables[i]; row->clause; row++)
            each(user, row->clause, row->name);
    }
    each(user, "history", HISTORIES);
    each(user, "faults", FAULTS);
}

/* ------------------------------------------------------------------------------------------- */
/* In the child                                                                                */
/* ------------------------------------------------------------------------------------------- */

/* Whatever the driver prints must not end up in the report. */
static void begin_child(const struct run_plan *plan)
{
    if (!plan->trace)
        dup2(STDERR_FILENO, STDOUT_FILENO);
}

static int load(struct target *target, const struct run_plan *plan)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct journal *journal = journal_now();

    begin_child(plan);
    journal_doing("loading the driver");
    int code = target_load(target, &plan->wish, &error);
    journal->doing[0] = 0;
    if (code != DRAY_OK)
        snprintf(journal->failure, sizeof(journal->failure), "%s", error.text);
    return code == DRAY_OK;
}

static void fail_with(const char *text)
{
    struct journal *journal = journal_now();

    if (!journal->failure[0])
        snprintf(journal->failure, sizeof(journal->failure), "%s", text);
}

static void check_child(void *user)
{
    const struct task *task = user;
    struct target target;
    static struct check check;
    struct tracks before;
    char left[256];

    if (!load(&target, task->plan)) {
        target_free(&target);
        return;
    }
    tracks_take(&before);
    memset(&check, 0, sizeof(check));
    check.quick = task->plan->quick;
    check.subject.by_turn = task->by_turn;
    if (subject_open(&check.subject, &target) != DRAY_OK)
        check_fail(&check, "open", 0, "%s", check.subject.error.text);
    else
        task->row->run(&check);
    subject_close(&check.subject);
    if (!check.failure[0] && check.subject.blocks)
        check_fail(&check, "close", 0, "%ld blocks of memory are left", check.subject.blocks);
    if (!check.failure[0] && tracks_left(&before, left, sizeof(left)))
        check_fail(&check, "close", 0, "%s", left);
    fail_with(check.failure);
    struct journal *journal = journal_now();
    snprintf(journal->missing, sizeof(journal->missing), "%s", check.missing);
    target_free(&target);
}

static struct history_plan plan_of(const struct task *task, const struct target *target)
{
    return (struct history_plan){.target = target,
        .instances = target->driver.can & DRAY_IS_SHARED ? SUBJECT_INSTANCES : 1,
        .seed = task->seed,
        .steps = task->plan->steps};
}

static void history_child(void *user)
{
    const struct task *task = user;
    struct journal *journal = journal_now();
    struct target target;

    if (load(&target, task->plan)) {
        struct history_plan plan = plan_of(task, &target);
        history_run(&plan, journal->failure, sizeof(journal->failure));
    }
    target_free(&target);
}

static void faults_child(void *user)
{
    const struct task *task = user;
    struct journal *journal = journal_now();
    struct target target;

    if (load(&target, task->plan)) {
        struct history_plan plan = plan_of(task, &target);
        journal->counted =
            faults_run(&plan, task->plan->faults, journal->failure, sizeof(journal->failure));
    }
    target_free(&target);
}

/* ------------------------------------------------------------------------------------------- */
/* The driver itself                                                                           */
/* ------------------------------------------------------------------------------------------- */

/* In memory that the child shares. */
struct looked {
    const struct run_plan *plan;
    struct portrait portrait;
    struct dray_driver driver; /* its pointers mean nothing to the parent, but for being NULL */
    struct dray_error error;
    int connects; /* an option names a connection */
    int code;
};

static struct looked *looked;

static void look_child(void *user)
{
    struct looked *look = user;
    struct target target;
    static struct subject subject;

    begin_child(look->plan);
    journal_doing("loading the driver");
    look->code = target_load(&target, &look->plan->wish, &look->error);
    if (look->code == DRAY_OK) {
        struct portrait *portrait = &look->portrait;
        snprintf(portrait->name, sizeof(portrait->name), "%s", target.driver.name);
        snprintf(portrait->version, sizeof(portrait->version), "%s", target.driver.version);
        snprintf(portrait->path, sizeof(portrait->path), "%s", target.path);
        look->driver = target.driver;
        look->connects = target_connects(&target);
        if (subject_open(&subject, &target) == DRAY_OK)
            portrait->durability = subject.durability;
        subject_close(&subject);
    }
    target_free(&target);
}

int run_portrait(const struct run_plan *plan, struct portrait *portrait, struct dray_error *error)
{
    struct journal *journal = journal_now();
    void *memory =
        mmap(NULL, sizeof(*looked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    error->code = DRAY_NOMEM;
    if (memory == MAP_FAILED) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return DRAY_NOMEM;
    }
    looked = memory;
    looked->plan = plan;
    looked->error = (struct dray_error)DRAY_ERROR_INIT;
    journal_begin(0);
    guard_run(journal, &plan->limits, look_child, looked);
    folder_clear();
    *portrait = looked->portrait;
    *error = looked->error;
    /* One that dies while it is opened and closed is put to the test all the same. */
    if (looked->code != DRAY_OK || portrait->name[0])
        return looked->code;
    error->code = DRAY_CONFIG;
    snprintf(error->text, sizeof(error->text), "%.200s", journal->failure);
    return error->code;
}

/* ------------------------------------------------------------------------------------------- */
/* In the parent                                                                               */
/* ------------------------------------------------------------------------------------------- */

static int wanted(const struct run_plan *plan, const char *clause)
{
    return !*plan->limits.stop && (!plan->only || strcmp(plan->only, clause) == 0);
}

static const struct journal *in_child(
    const struct run_plan *plan, void (*work)(void *), struct task *task)
{
    struct journal *journal = journal_now();

    journal_begin(plan->trace);
    guard_run(journal, &plan->limits, work, task);
    folder_clear();
    return journal;
}

/* Once by the single operations; if they held, once more through turn, which is told if it fails.
 */
static void run_row(const struct run_plan *plan, const struct check_row *row, struct report *report)
{
    for (int by_turn = 0; by_turn < 2; by_turn++) {
        struct task task = {.plan = plan, .row = row, .by_turn = by_turn, .seed = plan->seed};
        const struct journal *journal = in_child(plan, check_child, &task);
        int fails = journal->failure[0] != 0, missing = !fails && journal->missing[0];
        if (*plan->limits.stop)
            return;
        if (!by_turn || fails)
            report_add(report, &(struct outcome){.clause = row->clause,
                                   .name = row->name,
                                   .kind = fails     ? OUTCOME_FAILS
                                           : missing ? OUTCOME_MISSING
                                                     : OUTCOME_HOLDS,
                                   .by_turn = by_turn,
                                   .text = fails ? journal->failure : journal->missing,
                                   .journal = journal,
                                   .seed = plan->seed});
        if (fails || missing || !looked->driver.turn)
            return;
    }
}

static void run_table(
    const struct run_plan *plan, const struct check_row *row, struct report *report)
{
    uint64_t can = check_offers(&looked->driver) | (looked->connects ? NEED_CONNECTION : 0);

    for (; row->clause; row++) {
        if (!wanted(plan, row->clause))
            continue;
        if ((row->needs & can) == row->needs)
            run_row(plan, row, report);
        else
            report_add(report, &(struct outcome){.clause = row->clause,
                                   .name = row->name,
                                   .kind = OUTCOME_MISSING,
                                   .text = check_lack(row->needs & ~can)});
    }
}

static void run_histories(const struct run_plan *plan, struct report *report)
{
    const struct journal *journal = NULL;
    struct task task = {.plan = plan, .seed = plan->seed};
    char name[64];
    time_t start = time(NULL);
    uint32_t n = 0;

    while (n < plan->histories && !*plan->limits.stop &&
           (!n || !plan->enough_s || time(NULL) - start < plan->enough_s)) {
        task.seed = plan->seed + n++;
        journal = in_child(plan, history_child, &task);
        if (journal->failure[0])
            break;
    }
    if (!journal || *plan->limits.stop)
        return;
    snprintf(name, sizeof(name), HISTORIES ", %u of %u steps", n, plan->steps);
    report_add(report, &(struct outcome){.clause = "history",
                           .name = name,
                           .kind = journal->failure[0] ? OUTCOME_FAILS : OUTCOME_HOLDS,
                           .text = journal->failure,
                           .journal = journal,
                           .seed = task.seed});
}

static void run_faults(const struct run_plan *plan, struct report *report)
{
    struct task task = {.plan = plan, .seed = plan->seed};
    struct run_plan patient = *plan;

    /* Two histories for each allocation that is made to fail. */
    patient.limits.whole_s *= plan->quick ? 1 : 20;
    const struct journal *journal = in_child(&patient, faults_child, &task);
    char name[64];

    if (*plan->limits.stop)
        return;
    snprintf(name, sizeof(name), FAULTS ", %llu of them", (unsigned long long)journal->counted);
    report_add(report, &(struct outcome){.clause = "faults",
                           .name = name,
                           .kind = journal->failure[0] ? OUTCOME_FAILS : OUTCOME_HOLDS,
                           .text = journal->failure,
                           .journal = journal,
                           .seed = plan->seed});
}

void run_checks(const struct run_plan *plan, struct report *report)
{
    for (size_t i = 0; i < TABLES; i++)
        run_table(plan, tables[i], report);
    if (wanted(plan, "history"))
        run_histories(plan, report);
    if (wanted(plan, "faults"))
        run_faults(plan, report);
}
