/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/split.h"

#include "redis/store.h"
#include "redis/turn.h"

/* Of payloads, results and notes in one call. At this size a script takes some tenths of a second
   on a small machine, and the server some 300 MiB for that time. */
#define CALL_MIB 64
#define CALL_BYTES ((uint64_t)CALL_MIB * 1024 * 1024)

/* ---- what it comes to ---- */

static uint64_t group_bytes(const struct dray_push *group)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < group->njobs; i++)
        sum += group->jobs[i]->payload.len + group->jobs[i]->result.len;
    return sum;
}

static uint64_t lease_bytes(const struct dray_lease *const *leases, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += leases[i]->result.len + leases[i]->error.len + leases[i]->progress.len;
    return sum;
}

/* Refuses groups that are too large for a call of their own. Returns what the others come to. */
static uint64_t judge_groups(
    const struct store *store, struct dray_call *call, const struct dray_turn *turn)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < turn->npush; i++) {
        struct dray_push *group = turn->push[i];
        uint64_t bytes = group_bytes(group);
        if (bytes > CALL_BYTES)
            group->code = store->host->fail(call, DRAY_LIMIT, 0,
                "a batch of %llu bytes: redis takes at most %d MiB at once, for all others wait "
                "meanwhile; split it, or keep large things elsewhere and push references",
                (unsigned long long)bytes, CALL_MIB);
        else
            sum += bytes;
    }
    return sum;
}

/* ---- one part after another ---- */

/* The parts share the time of the call. */
struct parts {
    struct store *store;
    struct dray_call *call;
    int64_t deadline_ms;
};

static int32_t do_part(struct parts *parts, struct dray_turn *part)
{
    int64_t left = parts->deadline_ms - store_clock_ms();
    if (left <= 0)
        return parts->store->host->fail(parts->call, DRAY_BUSY, 0,
            "%s: no time was left for this part of a large turn", parts->store->link.where);
    parts->call->budget_ms = (uint32_t)left;
    return turn_turn(parts->store, parts->call, part);
}

static void settle_some(struct parts *parts, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n, int renews)
{
    struct dray_turn part = {.size = sizeof(part)};
    if (n > 1 && lease_bytes(leases, n) > CALL_BYTES) {
        settle_some(parts, leases, answers, n / 2, renews);
        settle_some(parts, leases + n / 2, answers + n / 2, n - n / 2, renews);
        return;
    }
    if (renews) {
        part.nextend = n;
        part.extend = leases;
        part.extend_answers = answers;
    } else {
        part.nsettle = n;
        part.settle = leases;
        part.settle_answers = answers;
    }
    int32_t code = n ? do_part(parts, &part) : DRAY_OK;
    for (uint32_t i = 0; code != DRAY_OK && i < n; i++)
        answers[i] = code;
}

static void push_one(struct parts *parts, struct dray_push *group)
{
    struct dray_push *const groups[] = {group};
    struct dray_turn part = {.size = sizeof(part), .npush = 1, .push = groups};
    int32_t code = group->code == DRAY_OK ? do_part(parts, &part) : DRAY_OK;
    if (code != DRAY_OK)
        group->code = code;
}

static void do_parts(struct parts *parts, struct dray_turn *turn)
{
    settle_some(parts, turn->settle, turn->settle_answers, turn->nsettle, 0);
    for (uint32_t i = 0; i < turn->npush; i++)
        push_one(parts, turn->push[i]);
    settle_some(parts, turn->extend, turn->extend_answers, turn->nextend, 1);
    if (!turn->reserve)
        return;
    struct dray_turn look = {.size = sizeof(look), .reserve = turn->reserve};
    int32_t code = do_part(parts, &look);
    turn->reserve_code = code == DRAY_OK ? look.reserve_code : code;
}

int32_t split_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct store *store = self;
    uint64_t bytes = judge_groups(store, call, turn) + lease_bytes(turn->settle, turn->nsettle) +
                     lease_bytes(turn->extend, turn->nextend);
    if (bytes <= CALL_BYTES)
        return turn_turn(self, call, turn);
    uint32_t budget_ms = call->budget_ms;
    struct parts parts = {
        .store = store, .call = call, .deadline_ms = store_clock_ms() + budget_ms};
    do_parts(&parts, turn);
    call->budget_ms = budget_ms;
    return DRAY_OK;
}

int32_t split_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct dray_push *const groups[] = {group};
    struct dray_turn turn = {.size = sizeof(turn), .npush = 1, .push = groups};
    int32_t code = split_turn(self, call, &turn);
    return code == DRAY_OK ? group->code : code;
}
