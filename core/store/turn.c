/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a turn's calls, and judging what comes back. A driver may come from anywhere, so no answer
 * leaves here that the contract does not know: what makes no sense as an answer to its question is
 * DRAY_UNKNOWN, the one code that promises nothing.
 */
#include "host/error.h"
#include "store/store.h"

/* The definite answers that make sense, as bits. */
#define BIT(code) (1u << (code))
#define LEASE_ANSWERS (BIT(DRAY_OK) | BIT(DRAY_STALE) | BIT(DRAY_CANCELLED))
#define GROUP_ANSWERS (BIT(DRAY_OK) | BIT(DRAY_DUPLICATE) | BIT(DRAY_CONFLICT))
#define MEMBER_ANSWERS (GROUP_ANSWERS | BIT(DRAY_EXISTS))
#define WHOLE_ANSWERS BIT(DRAY_OK)

/* One store_turn under way. */
struct run {
    struct store *store;
    struct dray_call *call;
    struct dray_error *error; /* the caller's: the first failure */
    int failed;               /* it is filled in */
    int64_t deadline_ms;      /* of real time, once there is more than one call; 0: one call */
    struct dray_error reason; /* what the current call says */
};

/* ------------------------------------------------------------------------------------------- */
/* Judging                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* Keeps the reason of the first failure. Definite answers need none. */
static void note(struct run *run, const char *operation, int32_t code)
{
    if (run->failed || (code < DRAY_BUSY && run->reason.code != code))
        return;
    run->failed = 1;
    if (run->reason.code == 0)
        error_set(&run->reason, code, 0, "driver %s: %s failed (%s) without a reason",
            run->store->name, operation, dray_code_name(code));
    run->reason.code = code;
    if (run->error)
        error_copy(run->error, &run->reason);
}

/* `code` itself, or DRAY_UNKNOWN if it is no answer to the question. */
static int32_t judge(struct run *run, const char *operation, int32_t code, uint32_t definite)
{
    int known = code >= 0 && code < 32 ? (definite & BIT(code)) != 0
                                       : (code >= DRAY_BUSY && code <= DRAY_CONFIG) ||
                                             (code >= DRAY_UNKNOWN && code <= DRAY_CORRUPT);
    if (!known) {
        error_set(&run->reason, DRAY_UNKNOWN, 0,
            "driver %s: %s answered %d, which is no answer to it; taken as unknown",
            run->store->name, operation, code);
        code = DRAY_UNKNOWN;
    }
    if (code != DRAY_OK)
        note(run, operation, code);
    return code;
}

static void fill(int32_t *answers, uint32_t n, int32_t code)
{
    for (uint32_t i = 0; i < n; i++)
        answers[i] = code;
}

/* The answers for leases after a call that returned `whole` (judged). */
static void judge_leases(
    struct run *run, const char *operation, int32_t whole, int32_t *answers, uint32_t n)
{
    if (whole != DRAY_OK) {
        fill(answers, n, whole);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (answers[i] != DRAY_OK)
            answers[i] = judge(run, operation, answers[i], LEASE_ANSWERS);
    }
}

/* Makes a group's code and answers agree: all or none. */
static void judge_group(struct run *run, struct dray_push *group)
{
    int32_t code = judge(run, "push", group->code, GROUP_ANSWERS);
    int32_t refusal = DRAY_OK;
    for (uint32_t i = 0; i < group->njobs && code < DRAY_BUSY; i++) {
        int32_t answer = group->answers[i];
        if (answer != DRAY_OK)
            answer = judge(run, "push", answer, MEMBER_ANSWERS);
        if (answer >= DRAY_BUSY)
            code = DRAY_UNKNOWN;
        else if (refusal == DRAY_OK && answer != DRAY_EXISTS)
            refusal = answer;
        if (group->holders)
            group->holders[i][DRAY_NAME_MAX] = 0;
    }
    if (code >= DRAY_BUSY || (code != DRAY_OK && refusal == DRAY_OK))
        fill(group->answers, group->njobs, code);
    else
        code = refusal;
    group->code = code;
}

/* ------------------------------------------------------------------------------------------- */
/* Calling                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void forget_reason(struct run *run)
{
    run->reason.code = 0;
    run->reason.sys = 0;
    run->reason.line = 0;
    run->reason.file[0] = 0;
    run->reason.text[0] = 0;
}

/* Before each call: 0, and the reason noted, if earlier ones have used up the budget. */
static int may_call(struct run *run, const char *operation)
{
    forget_reason(run);
    if (run->deadline_ms == 0)
        return 1;
    int64_t left = run->deadline_ms - clock_mono_ms(NULL);
    if (left > 0) {
        run->call->budget_ms = (uint32_t)left;
        return 1;
    }
    error_set(&run->reason, DRAY_BUSY, 0, "driver %s: no time left for %s; it was not tried",
        run->store->name, operation);
    note(run, operation, DRAY_BUSY);
    return 0;
}

static void preset_group(struct dray_push *group)
{
    group->code = DRAY_OK;
    fill(group->answers, group->njobs, DRAY_OK);
    for (uint32_t i = 0; group->holders && i < group->njobs; i++)
        group->holders[i][0] = 0;
}

/* A group that the driver cannot take as one is refused here: nothing else would be all or none. */
static int refuse_large(struct run *run, struct dray_push *group)
{
    if (group->njobs <= run->store->driver.max_push)
        return 0;
    forget_reason(run);
    error_set(&run->reason, DRAY_LIMIT, 0,
        "driver %s takes at most %u jobs in one batch, not %u; push them in smaller ones",
        run->store->name, run->store->driver.max_push, group->njobs);
    preset_group(group);
    group->code = DRAY_LIMIT;
    judge_group(run, group);
    return 1;
}

typedef int32_t (*lease_fn)(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n);

static void call_leases(struct run *run, const char *operation, lease_fn fn,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    uint32_t most = run->store->driver.max_batch;
    for (uint32_t i = 0; i < n; i += most) {
        uint32_t count = n - i < most ? n - i : most;
        fill(answers + i, count, DRAY_OK);
        int32_t code = DRAY_BUSY;
        if (may_call(run, operation))
            code = judge(run, operation,
                fn(run->store->self, run->call, leases + i, answers + i, count), WHOLE_ANSWERS);
        judge_leases(run, operation, code, answers + i, count);
        if (most > n - i)
            break;
    }
}

static void call_push(struct run *run, struct dray_push *group)
{
    if (refuse_large(run, group))
        return;
    preset_group(group);
    group->code = may_call(run, "push")
                      ? run->store->driver.push(run->store->self, run->call, group)
                      : DRAY_BUSY;
    judge_group(run, group);
}

static int32_t call_reserve(struct run *run, const struct dray_reserve *want)
{
    struct dray_reserve clipped = *want;
    if (clipped.max > run->store->driver.max_batch)
        clipped.max = run->store->driver.max_batch;
    if (!may_call(run, "reserve"))
        return DRAY_BUSY;
    int32_t code = run->store->driver.reserve(run->store->self, run->call, &clipped);
    return judge(run, "reserve", code, WHOLE_ANSWERS);
}

/* Without `turn`: verdicts go to ack and retry in runs of the same kind, which keeps their order.
 */
static void turn_by_calls(struct run *run, struct dray_turn *turn)
{
    const struct dray_driver *driver = &run->store->driver;
    for (uint32_t from = 0, to = 0; from < turn->nsettle; from = to) {
        int done = turn->settle[from]->verdict == DRAY_VERDICT_DONE;
        while (to < turn->nsettle && (turn->settle[to]->verdict == DRAY_VERDICT_DONE) == done)
            to++;
        call_leases(run, done ? "ack" : "retry", done ? driver->ack : driver->retry,
            turn->settle + from, turn->settle_answers + from, to - from);
    }
    for (uint32_t i = 0; i < turn->npush; i++)
        call_push(run, turn->push[i]);
    if (driver->extend)
        call_leases(
            run, "extend", driver->extend, turn->extend, turn->extend_answers, turn->nextend);
    else
        fill(turn->extend_answers, turn->nextend, DRAY_UNSUPPORTED);
    if (turn->reserve)
        turn->reserve_code = call_reserve(run, turn->reserve);
}

/* By the driver's own `turn`; the parts fit into one. */
static void call_turn(struct run *run, struct dray_turn *turn)
{
    fill(turn->settle_answers, turn->nsettle, DRAY_OK);
    fill(turn->extend_answers, turn->nextend, DRAY_OK);
    for (uint32_t i = 0; i < turn->npush; i++)
        preset_group(turn->push[i]);
    turn->reserve_code = DRAY_OK;

    int32_t code = DRAY_BUSY;
    if (may_call(run, "turn"))
        code = judge(
            run, "turn", run->store->driver.turn(run->store->self, run->call, turn), WHOLE_ANSWERS);
    judge_leases(run, "settling", code, turn->settle_answers, turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (code != DRAY_OK)
            turn->push[i]->code = code;
        judge_group(run, turn->push[i]);
    }
    judge_leases(run, "extend", code, turn->extend_answers, turn->nextend);
    turn->reserve_code =
        code != DRAY_OK ? code : judge(run, "reserve", turn->reserve_code, WHOLE_ANSWERS);
}

/* ------------------------------------------------------------------------------------------- */
/* Splitting                                                                                   */
/* ------------------------------------------------------------------------------------------- */

static int fits(const struct dray_driver *driver, const struct dray_turn *turn)
{
    uint64_t items = (uint64_t)turn->nsettle + turn->nextend;
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (turn->push[i]->njobs > driver->max_push)
            return 0;
        items += turn->push[i]->njobs;
    }
    items += turn->reserve ? turn->reserve->max : 0;
    return items <= driver->max_batch;
}

static uint32_t take(uint32_t left, uint32_t *room)
{
    uint32_t n = left < *room ? left : *room;
    *room -= n;
    return n;
}

/* As many of the next groups as there is room for; the first one of a turn always has room, because
   a group cannot be divided. */
static uint32_t take_groups(
    struct run *run, struct dray_push *const *groups, uint32_t left, uint32_t *room, int first)
{
    uint32_t n = 0;
    while (n < left && groups[n]->njobs <= run->store->driver.max_push &&
           (groups[n]->njobs <= *room || (first && n == 0))) {
        take(groups[n]->njobs, room);
        n++;
    }
    return n;
}

/* How far a turn has come. */
struct progress {
    uint32_t settled, pushed, extended;
    int reserved;
    struct dray_reserve clipped; /* the reserve of the last slice */
};

static int finished(const struct progress *at, const struct dray_turn *turn)
{
    return at->settled == turn->nsettle && at->pushed == turn->npush &&
           at->extended == turn->nextend && at->reserved;
}

/* The next parts of a turn, at most max_batch items, in the turn's order. */
static struct dray_turn next_slice(
    struct run *run, const struct dray_turn *turn, struct progress *at)
{
    uint32_t room = run->store->driver.max_batch;
    struct dray_turn slice = {.size = sizeof(slice)};
    if (at->settled < turn->nsettle) {
        slice.settle = turn->settle + at->settled;
        slice.settle_answers = turn->settle_answers + at->settled;
        slice.nsettle = take(turn->nsettle - at->settled, &room);
        at->settled += slice.nsettle;
    }
    if (at->settled == turn->nsettle && at->pushed < turn->npush) {
        slice.push = turn->push + at->pushed;
        slice.npush =
            take_groups(run, slice.push, turn->npush - at->pushed, &room, slice.nsettle == 0);
        at->pushed += slice.npush;
    }
    if (at->pushed == turn->npush && at->extended < turn->nextend) {
        slice.extend = turn->extend + at->extended;
        slice.extend_answers = turn->extend_answers + at->extended;
        slice.nextend = take(turn->nextend - at->extended, &room);
        at->extended += slice.nextend;
    }
    if (!at->reserved && at->pushed == turn->npush && at->extended == turn->nextend &&
        (room > 0 || turn->reserve->max == 0)) {
        at->clipped = *turn->reserve;
        at->clipped.max = take(at->clipped.max, &room);
        slice.reserve = &at->clipped;
        at->reserved = 1;
    }
    return slice;
}

static void turn_by_slices(struct run *run, struct dray_turn *turn)
{
    struct progress at = {.reserved = turn->reserve == NULL};
    while (!finished(&at, turn)) {
        struct dray_turn slice = next_slice(run, turn, &at);
        if (slice.nsettle + slice.npush + slice.nextend > 0 || slice.reserve)
            call_turn(run, &slice);
        if (slice.reserve)
            turn->reserve_code = slice.reserve_code;
        if (at.pushed < turn->npush && refuse_large(run, turn->push[at.pushed]))
            at.pushed++;
    }
}

static void run_begin(struct run *run, struct store *store, struct dray_call *call)
{
    run->store = store;
    run->call = call;
    run->error = call->error;
    run->failed = 0;
    run->deadline_ms = 0;
    run->reason.size = sizeof(run->reason);
    call->error = &run->reason;
}

void store_push(struct store *store, struct dray_call *call, struct dray_push *group)
{
    struct run run;
    run_begin(&run, store, call);
    call_push(&run, group);
    call->error = run.error;
}

void store_turn(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    struct run run;
    uint32_t budget_ms = call->budget_ms;
    run_begin(&run, store, call);
    if (store->driver.turn && fits(&store->driver, turn)) {
        call_turn(&run, turn);
    } else {
        run.deadline_ms = clock_mono_ms(NULL) + budget_ms;
        if (store->driver.turn)
            turn_by_slices(&run, turn);
        else
            turn_by_calls(&run, turn);
    }
    call->error = run.error;
    call->budget_ms = budget_ms;
}
