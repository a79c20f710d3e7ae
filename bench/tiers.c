/* SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include "stopwatch.h"
#include "synclog.h"

#include "dray/dray.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 100u
#define COMMITTERS 16u
#define SLOWER 10u /* drivers that wait for I/O get so many times fewer jobs a run */
#define UNLIMITED_NS (3600 * NS_PER_S)

/* One tier at work: a subject of its own, and the peers of its driver. */
struct stage {
    struct plan *plan;
    struct report *report;
    struct subject *subject;
    const struct peer *peers[CONTEST_SIDES];
    size_t npeers;
    const char *tier;
};

typedef run_fn (*operation_fn)(const struct peer *peer);

static run_fn op_dispatch(const struct peer *peer)
{
    return peer->dispatch;
}

static run_fn op_end_to_end(const struct peer *peer)
{
    return peer->end_to_end;
}

static run_fn op_drain(const struct peer *peer)
{
    return peer->drain;
}

static run_fn op_pickup(const struct peer *peer)
{
    return peer->pickup;
}

static run_fn op_space(const struct peer *peer)
{
    return peer->space;
}

static const struct measure rate[] = {{"rate", "jobs/s"}, {"cpu", "ns/job"}};
static const struct measure latency[] = {{"p50", "us"}, {"p99", "us"}};
static const struct measure space[] = {
    {"heap", "bytes/job"}, {"resident", "bytes/job"}, {"disk", "bytes/job"}};
static const struct measure space_served[] = {
    {"heap", "bytes/job"}, {"resident", "bytes/job"}, {"server", "bytes/job"}};
static const struct measure backlog[] = {{"dispatch", "jobs/s"}, {"drain", "jobs/s"}};

static struct contest contest_of(
    const struct stage *stage, const char *name, const struct measure *measures, size_t n)
{
    struct contest contest = {.tier = stage->tier, .nmeasures = n, .rounds = stage->plan->rounds};
    snprintf(contest.name, sizeof(contest.name), "%s", name);
    memcpy(contest.measures, measures, n * sizeof(*measures));
    return contest;
}

static struct load load_of(
    const struct stage *stage, unsigned dispatchers, unsigned executors, unsigned batch)
{
    unsigned most = stage->subject->max_push;
    return (struct load){
        .subject = stage->subject,
        .folder = stage->plan->source.folder,
        .jobs = stage->plan->jobs / (stage->subject->quick ? 1 : SLOWER),
        .limit_ns = stage->plan->limit_ns,
        .dispatchers = dispatchers,
        .executors = executors,
        .batch = batch < most ? batch : most,
    };
}

/* Every peer that can do the operation, with the same load. */
static int compare_to_peers(
    struct stage *stage, struct contest *contest, operation_fn operation, const struct load *load)
{
    for (size_t i = 0; i < stage->npeers; i++)
        contest_add(contest, stage->peers[i]->name, operation(stage->peers[i]), load);
    return contest_run(contest, stage->report);
}

static int compare(
    struct stage *stage, struct contest *contest, operation_fn operation, const struct load *load)
{
    contest_add(contest, peer_dray.name, operation(&peer_dray), load);
    return compare_to_peers(stage, contest, operation, load);
}

static int compare_rates(struct stage *stage, const char *name, operation_fn operation,
    unsigned dispatchers, unsigned executors, unsigned batch)
{
    struct contest contest = contest_of(stage, name, rate, 2);
    struct load load = load_of(stage, dispatchers, executors, batch);
    return compare(stage, &contest, operation, &load);
}

/* ------------------------------------------------------------------------------------------- */
/* Tiers                                                                                       */
/* ------------------------------------------------------------------------------------------- */

static int space_at(struct stage *stage, uint64_t jobs)
{
    char name[64];
    snprintf(name, sizeof(name), "space at %" PRIu64, jobs);
    struct contest contest =
        contest_of(stage, name, stage->subject->server[0] ? space_served : space, 3);
    contest.rounds = 1;
    struct load load = load_of(stage, 1, 1, BATCH);
    load.jobs = jobs;
    load.limit_ns = UNLIMITED_NS;
    return compare(stage, &contest, op_space, &load);
}

static int tier_space(struct stage *stage)
{
    if (space_at(stage, stage->plan->small) != 0)
        return -1;
    return space_at(stage, stage->plan->large);
}

static int tier_dispatch(struct stage *stage)
{
    if (compare_rates(stage, "dispatch", op_dispatch, 1, 0, 1) != 0 ||
        compare_rates(stage, "dispatch, 4 threads", op_dispatch, 4, 0, 1) != 0)
        return -1;
    return compare_rates(stage, "dispatch by 100", op_dispatch, 1, 0, BATCH);
}

static int tier_end_to_end(struct stage *stage)
{
    /* An instance that starts its own worker decides how many executors it has. */
    if (stage->subject->autostart)
        return compare_rates(stage, "e2e, own worker", op_end_to_end, 1, 1, 1);
    if (compare_rates(stage, "e2e, 1 executor", op_end_to_end, 1, 1, 1) != 0 ||
        compare_rates(stage, "e2e, 2 executors", op_end_to_end, 1, 2, 1) != 0 ||
        compare_rates(stage, "e2e, 4 executors", op_end_to_end, 1, 4, 1) != 0)
        return -1;
    /* Where dispatchers wait for the disk, several of them share a sync. */
    if (!stage->subject->quick &&
        compare_rates(stage, "e2e, 4 threads, 4 executors", op_end_to_end, 4, 4, 1) != 0)
        return -1;
    return compare_rates(stage, "e2e by 100, 1 executor", op_end_to_end, 1, 1, BATCH);
}

static int tier_drain(struct stage *stage)
{
    return compare_rates(stage, "drain a backlog", op_drain, 1, 1, BATCH);
}

/* Where processes share the configured store, also from an instance without the worker. */
static int tier_pickup(struct stage *stage)
{
    struct contest contest = contest_of(stage, "pick-up", latency, 2);
    struct load load = load_of(stage, 1, 1, 1);
    load.jobs = stage->plan->latencies;
    if (!stage->plan->source.config || !stage->subject->shared)
        return compare(stage, &contest, op_pickup, &load);
    struct subject other;
    if (subject_open(&other, &stage->plan->source, &stage->plan->exit_status) != 0)
        return -1;
    contest_add(&contest, peer_dray.name, op_pickup(&peer_dray), &load);
    struct load apart = load;
    apart.from = &other;
    contest_add(&contest, "dray, dispatched elsewhere", op_pickup(&peer_dray), &apart);
    int rc = compare_to_peers(stage, &contest, op_pickup, &load);
    subject_close(&other);
    return rc;
}

static int fill(struct stage *stage, struct subject *subject, uint64_t jobs)
{
    struct load load = load_of(stage, 1, 1, 1000);
    load.jobs = jobs;
    load.limit_ns = UNLIMITED_NS;
    struct handed_in in;
    if (crowd_dispatch(&load, subject_put, subject, &in) != 0)
        return -1;
    return in.jobs == jobs ? 0 : -1;
}

/* Two instances, one with many jobs waiting and one with few, do the same work in turn. On a store
   that a configuration names they share it, as two queues. */
static int tier_backlog(struct stage *stage)
{
    struct subject few;
    if (subject_open(&few, &stage->plan->source, &stage->plan->exit_status) != 0)
        return -1;
    int rc = fill(stage, &few, stage->plan->small);
    if (rc == 0)
        rc = fill(stage, stage->subject, stage->plan->large);
    if (rc == 0) {
        char large[32];
        char small[32];
        snprintf(large, sizeof(large), "dray at %" PRIu64, stage->plan->large);
        snprintf(small, sizeof(small), "dray at %" PRIu64, stage->plan->small);
        struct contest contest = contest_of(stage, "with a backlog", backlog, 2);
        struct load load = load_of(stage, 1, 1, BATCH);
        contest_add(&contest, large, subject_pass, &load);
        load.subject = &few;
        contest_add(&contest, small, subject_pass, &load);
        rc = contest_run(&contest, stage->report);
    }
    subject_close(&few);
    return rc;
}

/* Group commit, shown on a driver of the bench's own whatever the configuration names. */
static int committed_through_core(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    struct handed_in in;
    uint64_t before = synclog_count(subject->store);
    if (crowd_dispatch(load, subject_put, subject, &in) != 0)
        return -1;
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->dispatched = in.jobs;
    out->handled = synclog_count(subject->store) - before;
    return 0;
}

static int tier_commit(struct stage *stage)
{
    struct source source = stage->plan->source;
    source.config = NULL;
    source.driver = SYNCLOG_NAME;
    struct subject subject;
    if (subject_open(&subject, &source, &stage->plan->exit_status) != 0)
        return -1;
    struct contest contest = contest_of(stage, "one fdatasync a turn, 16 threads", rate, 2);
    struct load load = load_of(stage, COMMITTERS, 0, 1);
    load.subject = &subject;
    contest_add(&contest, "dray, synclog driver", committed_through_core, &load);
    contest_add(&contest, "same driver, one mutex", synclog_direct, &load);
    int rc = contest_run(&contest, stage->report);
    subject_close(&subject);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */
/* All of them                                                                                 */
/* ------------------------------------------------------------------------------------------- */

enum {
    NEEDS_WORKER = 1, /* makes no sense where dispatch runs the job */
    NEEDS_REST = 2    /* jobs must stay waiting: not where a worker starts by itself */
};

static const struct {
    const char *name;
    int (*run)(struct stage *stage);
    int needs;
} tiers[] = {
    {"space", tier_space, NEEDS_WORKER | NEEDS_REST},
    {"dispatch", tier_dispatch, NEEDS_REST},
    {"e2e", tier_end_to_end, NEEDS_WORKER},
    {"drain", tier_drain, NEEDS_WORKER | NEEDS_REST},
    {"pickup", tier_pickup, NEEDS_WORKER},
    {"backlog", tier_backlog, NEEDS_WORKER | NEEDS_REST},
    {"commit", tier_commit, 0},
};
#define NTIERS (sizeof(tiers) / sizeof(tiers[0]))

const char *tiers_list(void)
{
    return "space, dispatch, e2e, drain, pickup, backlog, commit";
}

int tiers_has(const char *name)
{
    for (size_t i = 0; i < NTIERS; i++) {
        if (strcmp(tiers[i].name, name) == 0)
            return 1;
    }
    return 0;
}

/* Whether the driver of `subject` can be measured so; else the report says why not. */
static int fits(const struct subject *subject, size_t i, struct report *report)
{
    if ((tiers[i].needs & NEEDS_WORKER) && subject->runs_inline)
        report_omit(report, tiers[i].name, "this driver runs jobs inside dispatch");
    else if ((tiers[i].needs & NEEDS_REST) && subject->autostart)
        report_omit(report, tiers[i].name, "this driver starts a worker by itself");
    else
        return 1;
    return 0;
}

/* The bare programs for what is measured. */
static size_t peers_of(const struct subject *subject, const struct peer *out[CONTEST_SIDES],
    char *absent, size_t absent_size)
{
    int closed = strcmp(subject->driver, "redis") == 0 && !subject->server[0];
    return peers_for(closed ? "" : subject->driver, subject->quick, out, absent, absent_size);
}

static int run_tier(struct plan *plan, struct report *report, size_t i)
{
    struct subject subject;
    if (subject_open(&subject, &plan->source, &plan->exit_status) != 0)
        return -1;
    int rc = 0;
    if (fits(&subject, i, report)) {
        struct stage stage = {
            .plan = plan, .report = report, .subject = &subject, .tier = tiers[i].name};
        char absent[128];
        stage.npeers = peers_of(&subject, stage.peers, absent, sizeof(absent));
        rc = tiers[i].run(&stage);
    }
    subject_close(&subject);
    return rc;
}

/* The head of the report, and what this build lacks. */
static int introduce(struct plan *plan, struct report *report)
{
    struct subject subject;
    if (subject_open(&subject, &plan->source, &plan->exit_status) != 0)
        return -1;
    snprintf(report->driver, sizeof(report->driver), "%s", subject.driver);
    snprintf(report->durability, sizeof(report->durability), "%s", subject.durability);
    snprintf(report->store, sizeof(report->store), "%s", subject.store);
    const struct peer *peers[CONTEST_SIDES];
    char absent[128];
    peers_of(&subject, peers, absent, sizeof(absent));
    if (absent[0]) {
        fprintf(stderr,
            "dray-bench: without these peers: %s; to compare, install the program, or the "
            "library's "
            "development files and build again\n",
            absent);
        report_omit(report, absent, "not built in, or not installed");
    }
    if (strcmp(subject.driver, "redis") == 0 && !subject.server[0])
        report_omit(report, "bare programs on the same server",
            "the connection wants a password; measure on a server without");
    report_begin(report);
    subject_close(&subject);
    return 0;
}

int tiers_run(struct plan *plan, struct report *report)
{
    plan->exit_status = 1;
    if (synclog_register() != 0 || introduce(plan, report) != 0)
        return -1;
    for (size_t i = 0; i < NTIERS; i++) {
        if (plan->only && strcmp(plan->only, tiers[i].name) != 0)
            continue;
        if (run_tier(plan, report, i) != 0)
            return -1;
    }
    report_end(report);
    return 0;
}
