/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include "journal.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS 40
#define KEYS 5
#define LEASES 64
#define GROUPS 2
#define MEMBERS 5
#define BATCH 4

/* The clock moves in steps of 10 ms, delays end on a 3 and leases on a 5: no comparison of the
   history ever meets two equal times, where drivers may round either way. */
static const uint64_t delays[] = {0, 0, 0, 3, 503, 3003, 20003};
static const uint64_t leases_ms[] = {1005, 5005, 30005};
static const int64_t moves[] = {10, 10, 500, 2000, 10000};
static const char *const queues[] = {"q", "mail"};
static const char *const types[] = {"t", "u", "v"};

struct history {
    const struct history_plan *plan;
    struct subject subject;
    struct model model;
    uint64_t random;
    uint32_t step;
    const char *doing;
    char *failure;
    size_t failure_size;
    char ids[IDS][8], keys[KEYS][8];
    char text[200];
    struct dray_lease leases[LEASES]; /* handed out lately, settled or not */
    uint32_t nleases;
    uint64_t failures; /* of the subject, before the step */
};

/* One turn's worth of work, made at random. */
struct work {
    struct dray_job jobs[GROUPS][MEMBERS];
    const struct dray_job *lists[GROUPS][MEMBERS];
    int32_t answers[GROUPS][MEMBERS];
    char holders[GROUPS][MEMBERS][DRAY_NAME_MAX + 1];
    struct dray_push groups[GROUPS];
    struct dray_push *push[GROUPS];
    struct dray_lease settle[BATCH], extend[BATCH];
    const struct dray_lease *settle_list[BATCH], *extend_list[BATCH];
    int32_t settle_answers[BATCH], extend_answers[BATCH];
    struct dray_str queues[2];
    struct dray_reserve want;
    struct dray_turn turn;
};

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(struct history *h, uint64_t below)
{
    uint64_t z = h->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

#define PICK(h, array) ((array)[draw((h), sizeof(array) / sizeof((array)[0]))])

static int can(const struct history *h, uint64_t bits)
{
    return (h->subject.driver->can & bits) == bits;
}

static void violated(struct history *h, const char *why)
{
    if (h->failure[0])
        return;
    snprintf(h->failure, h->failure_size, "seed %llu, step %u, %s: %s%s",
        (unsigned long long)h->plan->seed, h->step, h->doing, why,
        h->plan->fail_from ? " (allocations were failing)" : "");
}

/* Busy is an honest answer at any time, out of memory if an allocation failed during the step: both
   say that nothing was done. */
static int excused(const struct history *h, int32_t code)
{
    return code == DRAY_BUSY || (code == DRAY_NOMEM && h->subject.failures > h->failures);
}

static struct dray_str some_text(struct history *h)
{
    return (struct dray_str){h->text, draw(h, 3) ? 0 : draw(h, sizeof(h->text)) + 1};
}

/* ------------------------------------------------------------------------------------------- */
/* Making work                                                                                 */
/* ------------------------------------------------------------------------------------------- */

static void make_restored(struct history *h, struct dray_job *job)
{
    job->state = (uint32_t)draw(h, can(h, DRAY_CAN_KEEP) ? 5 : 3) + 1;
    job->attempts = (uint32_t)draw(h, 4);
    job->releases = (uint32_t)draw(h, 3);
    job->token.counter = draw(h, 50);
    job->created_ms = h->subject.wall_ms - 5000;
    job->delay_ms = 0;
    job->run_at_ms = job->state == DRAY_STATE_DELAYED ? h->subject.wall_ms + 703 : 0;
    job->error = some_text(h);
    job->progress = some_text(h);
    if (job->state >= DRAY_STATE_DEAD)
        job->ended_ms = h->subject.wall_ms - 1000;
    if (job->state == DRAY_STATE_DONE)
        job->result = str("{\"ok\":true}");
}

/* Mostly what that id always is, so that pushing again says EXISTS, and sometimes something else.
 */
static struct dray_job make_job(struct history *h, const char *queue, uint32_t flags)
{
    uint64_t number = draw(h, IDS);
    struct dray_job job = job_of(h->ids[number]);

    job.queue = str(queue);
    job.type = str(draw(h, 16) ? types[number % 3] : PICK(h, types));
    job.payload = str(draw(h, 16) ? "{\"v\":0}" : "{\"v\":1}");
    job.name = some_text(h);
    job.group = str(draw(h, 2) ? "tenant-1" : "");
    job.timeout_ms = draw(h, 5000);
    job.max_attempts = (uint32_t)draw(h, 4);
    if (can(h, DRAY_CAN_PRIORITY))
        job.priority = (uint32_t)draw(h, 10);
    if (can(h, DRAY_CAN_UNIQUE) && (number % 3 == 0 || draw(h, 16) == 0))
        job.unique = str(h->keys[number % KEYS]);
    job.delay_ms = PICK(h, delays);
    if (job.delay_ms && draw(h, 3) == 0) {
        job.run_at_ms = h->subject.wall_ms + (int64_t)job.delay_ms;
        job.delay_ms = 0;
    }
    if (flags & DRAY_PUSH_RESTORE)
        make_restored(h, &job);
    return job;
}

static void make_group(struct history *h, struct work *work, uint32_t at)
{
    struct dray_push *group = &work->groups[at];
    uint32_t most = h->subject.driver->max_push < MEMBERS ? h->subject.driver->max_push : MEMBERS;
    const char *queue = PICK(h, queues);

    *group = (struct dray_push){.size = sizeof(*group),
        .flags = draw(h, 12) ? 0 : DRAY_PUSH_RESTORE,
        .queue = str(queue),
        .jobs = work->lists[at],
        .answers = work->answers[at],
        .holders = work->holders[at],
        .njobs = (uint32_t)draw(h, most) + 1,
        .capacity = draw(h, 8) ? 0 : draw(h, 40) + 3};
    for (uint32_t i = 0; i < group->njobs; i++) {
        work->jobs[at][i] = make_job(h, queue, group->flags);
        work->lists[at][i] = &work->jobs[at][i];
        work->answers[at][i] = DRAY_OK;
        work->holders[at][i][0] = 0;
    }
    work->push[at] = group;
}

static struct dray_lease make_lease(struct history *h)
{
    struct dray_lease lease = h->leases[draw(h, h->nleases < LEASES ? h->nleases : LEASES)];

    if (draw(h, 20) == 0)
        lease.token.counter++;
    if (draw(h, 4) == 0)
        lease.ref = 0;
    lease.run_ms = draw(h, 100);
    lease.progress = some_text(h);
    return lease;
}

static struct dray_lease make_verdict(struct history *h)
{
    struct dray_lease lease = make_lease(h);

    do {
        lease.verdict = (uint32_t)draw(h, 5) + 1;
    } while (lease.verdict == DRAY_VERDICT_BURY && !can(h, DRAY_CAN_KEEP));
    lease.delay_ms = PICK(h, delays);
    lease.error = some_text(h);
    if (lease.verdict == DRAY_VERDICT_BURY && draw(h, 4) == 0)
        lease.flags = DRAY_LEASE_UNCHARGE;
    if (lease.verdict == DRAY_VERDICT_DONE && draw(h, 4) == 0 && can(h, DRAY_CAN_KEEP)) {
        lease.flags = DRAY_LEASE_KEEP;
        lease.result = str("[1,2]");
    }
    return lease;
}

static void make_reserve(struct history *h, struct work *work)
{
    uint64_t first = draw(h, 2);
    uint32_t most = h->subject.driver->max_batch < 5 ? h->subject.driver->max_batch : 5;

    work->queues[0] = str(queues[first]);
    work->queues[1] = str(queues[1 - first]);
    work->want = (struct dray_reserve){.size = sizeof(work->want),
        .max = (uint32_t)draw(h, most + 1),
        .queues = work->queues,
        .nqueues = (uint32_t)draw(h, 2) + 1,
        .lease_ms = PICK(h, leases_ms),
        .nonce = ++h->subject.nonce,
        .owner = str(draw(h, 2) ? "host-a:41" : "host-b:7"),
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    work->turn.reserve = &work->want;
}

static void make_work(struct history *h, struct work *work)
{
    struct dray_turn *turn = &work->turn;
    uint64_t kinds = draw(h, 15) + 1;

    memset(work, 0, sizeof(*work));
    if (kinds & 1)
        turn->npush = (uint32_t)draw(h, GROUPS) + 1;
    for (uint32_t i = 0; i < turn->npush; i++)
        make_group(h, work, i);
    if ((kinds & 2) && h->nleases)
        turn->nsettle = (uint32_t)draw(h, BATCH) + 1;
    for (uint32_t i = 0; i < turn->nsettle; i++) {
        work->settle[i] = make_verdict(h);
        work->settle_list[i] = &work->settle[i];
    }
    if ((kinds & 4) && h->nleases && h->subject.driver->extend)
        turn->nextend = (uint32_t)draw(h, BATCH) + 1;
    for (uint32_t i = 0; i < turn->nextend; i++) {
        work->extend[i] = make_lease(h);
        work->extend[i].lease_ms = PICK(h, leases_ms);
        work->extend_list[i] = &work->extend[i];
    }
    if (kinds & 8)
        make_reserve(h, work);
    turn->settle = work->settle_list;
    turn->settle_answers = work->settle_answers;
    turn->push = work->push;
    turn->extend = work->extend_list;
    turn->extend_answers = work->extend_answers;
}

/* ------------------------------------------------------------------------------------------- */
/* Doing it, and comparing                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void call_one_by_one(struct history *h, struct work *work)
{
    struct dray_turn *turn = &work->turn;
    struct subject *s = &h->subject;

    subject_settle_all(s, turn->settle, turn->settle_answers, turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++)
        turn->push[i]->code = subject_push_group(s, turn->push[i]);
    if (turn->nextend)
        subject_extend_all(s, turn->extend, turn->extend_answers, turn->nextend);
    if (turn->reserve)
        turn->reserve_code = subject_reserve_want(s, &work->want);
}

static void remember_leases(struct history *h)
{
    for (size_t i = 0; i < h->subject.shown.n; i++)
        h->leases[h->nleases++ % LEASES] = lease_of(&h->subject.shown.at[i].job, 0);
}

static void judge_reserve(struct history *h, const struct work *work)
{
    if (excused(h, work->turn.reserve_code)) {
        if (h->subject.shown.n)
            violated(h, "a reserve hands out jobs and answers out of memory");
        return;
    }
    if (work->turn.reserve_code != DRAY_OK)
        violated(h, h->subject.error.text);
    else if (!model_reserve(&h->model, &work->want, &h->subject.shown))
        violated(h, h->model.why);
    remember_leases(h);
}

static void judge_work(struct history *h, const struct work *work)
{
    const struct dray_turn *turn = &work->turn;

    for (uint32_t i = 0; i < turn->nsettle; i++) {
        if (!excused(h, turn->settle_answers[i]) &&
            !model_settle(&h->model, turn->settle[i], turn->settle_answers[i]))
            violated(h, h->model.why);
    }
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (!excused(h, turn->push[i]->code) &&
            !model_push(&h->model, turn->push[i], turn->push[i]->code))
            violated(h, h->model.why);
    }
    for (uint32_t i = 0; i < turn->nextend; i++) {
        if (!excused(h, turn->extend_answers[i]) &&
            !model_extend(&h->model, turn->extend[i], turn->extend_answers[i]))
            violated(h, h->model.why);
    }
    if (turn->reserve)
        judge_reserve(h, work);
}

static void step_work(struct history *h)
{
    static struct work work;
    const struct dray_driver *driver = h->subject.driver;

    make_work(h, &work);
    struct dray_turn *turn = &work.turn;
    uint32_t items = turn->nsettle + turn->nextend + turn->npush + work.want.max;
    if (driver->turn && items <= driver->max_batch && draw(h, 2)) {
        h->doing = "a turn";
        subject_turn(&h->subject, turn);
    } else {
        h->doing = "single calls";
        call_one_by_one(h, &work);
    }
    judge_work(h, &work);
}

/* Makes expiry and promotion happen, on both sides. */
static void look(struct history *h)
{
    struct dray_str both[] = {str(queues[0]), str(queues[1])};
    struct work work = {.want = {.queues = both, .nqueues = 2, .lease_ms = 1005}};

    work.turn.reserve_code = subject_reserve_want(&h->subject, &work.want);
    judge_reserve(h, &work);
}

static void step_change(struct history *h)
{
    static const uint32_t kinds[] = {DRAY_CHANGE_KICK, DRAY_CHANGE_CANCEL, DRAY_CHANGE_REMOVE};
    const char *queue = PICK(h, queues), *id = h->ids[draw(h, IDS)];
    uint32_t what = PICK(h, kinds), flags = draw(h, 2) ? DRAY_CHANGE_FORCE : 0;

    if (what == DRAY_CHANGE_CANCEL && !can(h, DRAY_CAN_KEEP))
        return;
    h->doing = "a look before a change";
    look(h);
    if (h->subject.failures > h->failures)
        return; /* the look may not have happened */
    h->doing = "a change";
    int32_t answer = subject_change(&h->subject, what, queue, id, flags);
    if (!excused(h, answer) && !model_change(&h->model, what, queue, id, flags, answer))
        violated(h, h->model.why);
}

static void step_queue(struct history *h)
{
    static const uint32_t kinds[] = {
        DRAY_CHANGE_PAUSE, DRAY_CHANGE_RESUME, DRAY_CHANGE_RESUME, DRAY_CHANGE_RESET};
    const char *queue = PICK(h, queues);
    uint32_t what = PICK(h, kinds);

    h->doing = "a change of a queue";
    int32_t answer = subject_change(&h->subject, what, queue, NULL, 0);
    if (!excused(h, answer) && !model_change(&h->model, what, queue, NULL, 0, answer))
        violated(h, h->model.why);
}

static void step_clock(struct history *h)
{
    int64_t ms = PICK(h, moves);

    subject_advance(&h->subject, ms);
    model_advance(&h->model, ms);
}

static void compare(struct history *h)
{
    struct subject *s = &h->subject;
    struct dray_filter filter = {0};
    uint64_t fail_from = s->fail_from, allocations = s->allocations;
    /* Mostly all at once: a page is a round trip where there is a server. */
    uint32_t page = draw(h, 4) ? MODEL_JOBS : (uint32_t)draw(h, 60) + 1;

    /* Until the allocation fails that is to fail, the history is one that was played without. */
    if (fail_from && !s->failures)
        return;
    s->fail_from = 0;
    if (!h->failure[0] && s->driver->list) {
        if (subject_list(s, &filter, page) != DRAY_OK)
            violated(h, s->error.text[0] ? s->error.text : "a listing fails or does not end");
        else if (!model_agrees_list(&h->model, &s->shown))
            violated(h, h->model.why);
    }
    if (!h->failure[0] && s->driver->stats) {
        if (subject_stats(s, NULL, 0) != DRAY_OK)
            violated(h, s->error.text);
        else if (!model_agrees_stats(&h->model, s))
            violated(h, h->model.why);
    }
    s->fail_from = fail_from;
    s->allocations = allocations; /* looking on does not move what fails */
}

static void step(struct history *h)
{
    uint64_t kind = draw(h, 100);

    if (h->subject.ninstances > 1)
        subject_use(&h->subject, (uint32_t)draw(h, h->subject.ninstances));

    h->failures = h->subject.failures;
    if (kind < 12)
        step_clock(h);
    else if (kind < 24 && h->subject.driver->change)
        step_change(h);
    else if (kind < 28 && h->subject.driver->change)
        step_queue(h);
    else
        step_work(h);
    compare(h);
}

/* Whatever happened before: all that waits can be handed out and acked. */
static void drain(struct history *h)
{
    struct dray_str both[] = {str(queues[0]), str(queues[1])};

    h->doing = "draining";
    h->subject.fail_from = 0;
    h->failures = h->subject.failures;
    for (int i = 0; i < 2 && h->subject.driver->change; i++) {
        int32_t answer = subject_change(&h->subject, DRAY_CHANGE_RESUME, queues[i], NULL, 0);
        model_change(&h->model, DRAY_CHANGE_RESUME, queues[i], NULL, 0, answer);
    }
    subject_advance(&h->subject, 100000);
    model_advance(&h->model, 100000);
    for (int i = 0; i < 2 * IDS + 2 && !h->failure[0]; i++) {
        struct work work = {.want = {.max = 1, .queues = both, .nqueues = 2, .lease_ms = 1005}};
        work.turn.reserve_code = subject_reserve_want(&h->subject, &work.want);
        judge_reserve(h, &work);
        if (!h->subject.shown.n)
            break;
        struct dray_lease lease = lease_of(&h->subject.shown.at[0].job, DRAY_VERDICT_DONE);
        if (!model_settle(&h->model, &lease, subject_settle(&h->subject, lease)))
            violated(h, h->model.why);
    }
    compare(h);
    if (!h->failure[0] && model_count(&h->model, queues[0], DRAY_STATE_READY) +
                              model_count(&h->model, queues[1], DRAY_STATE_READY))
        violated(h, "jobs are left that nobody can have");
}

static void say_where(const struct history *h)
{
    const struct history_plan *plan = h->plan;

    if (plan->fail_from)
        journal_where("seed %llu, step %u, allocation %llu%s fails", (unsigned long long)plan->seed,
            h->step, (unsigned long long)plan->fail_from,
            plan->fail_on ? " and every later one" : "");
    else
        journal_where("seed %llu, step %u", (unsigned long long)plan->seed, h->step);
}

/* The other instances; 0 on a violation. */
static int open_others(struct history *h)
{
    while (h->subject.ninstances < h->plan->instances) {
        if (subject_open_another(&h->subject) != DRAY_OK) {
            violated(h, h->subject.error.text);
            return 0;
        }
    }
    return 1;
}

static void play(struct history *h)
{
    for (h->step = 1; h->step <= h->plan->steps && !h->failure[0]; h->step++) {
        say_where(h);
        step(h);
    }
    if (!h->failure[0])
        drain(h);
}

static void begin(struct history *h, const struct history_plan *plan)
{
    h->plan = plan;
    h->random = plan->seed * 0xd1342543de82ef95u;
    h->subject.fail_from = plan->fail_from;
    h->subject.fail_on = plan->fail_on;
    for (int i = 0; i < IDS; i++)
        snprintf(h->ids[i], sizeof(h->ids[i]), "i%d", i);
    for (int i = 0; i < KEYS; i++)
        snprintf(h->keys[i], sizeof(h->keys[i]), "k%d", i);
    for (size_t i = 0; i < sizeof(h->text); i++)
        h->text[i] = (char)('a' + i % 26);
}

uint64_t history_run(const struct history_plan *plan, char *failure, size_t size)
{
    struct history *h = calloc(1, sizeof(*h));

    failure[0] = 0;
    if (!h) {
        snprintf(failure, size, "no memory for a history");
        return 0;
    }
    h->failure = failure;
    h->failure_size = size;
    begin(h, plan);
    h->doing = "open";
    if (subject_open(&h->subject, plan->target) == DRAY_OK) {
        model_init(&h->model, &h->subject);
        if (open_others(h))
            play(h);
    } else if (!excused(h, h->subject.code)) {
        violated(h, h->subject.error.text);
    }
    subject_close(&h->subject);
    if (h->subject.blocks)
        violated(h, "close does not give back all memory");
    uint64_t allocations = h->subject.allocations;
    free(h);
    return allocations;
}
