/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/turn.h"

#include "common/gate.h"

#include "sqlite/parts.h"
#include "sqlite/txn.h"

#include <errno.h>

/* A turn may be run twice (without its pushes when the disk is full): answers begin as the core
   preset them. */
static void preset(struct store *store, struct dray_turn *turn)
{
    for (uint32_t i = 0; i < turn->nsettle; i++)
        turn->settle_answers[i] = DRAY_OK;
    for (uint32_t i = 0; i < turn->nextend; i++)
        turn->extend_answers[i] = DRAY_OK;
    for (uint32_t i = 0; i < turn->npush; i++) {
        struct dray_push *push = turn->push[i];
        push->code = DRAY_OK;
        for (uint32_t j = 0; j < push->njobs; j++)
            push->answers[j] = DRAY_OK;
    }
    turn->reserve_code = DRAY_OK;
    arena_reset(&store->arena);
    store->handed = NULL;
    store->handed_end = &store->handed;
}

static int32_t push_groups(
    struct store *store, struct dray_call *call, struct dray_turn *turn, int has_room)
{
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < turn->npush && code == DRAY_OK; i++) {
        struct dray_push *push = turn->push[i];
        if (push->njobs > TURN_MAX_PUSH)
            push->code = store->host->fail(call, DRAY_LIMIT, 0,
                "a batch of %u jobs: sqlite takes at most %u at once; split it", push->njobs,
                TURN_MAX_PUSH);
        else if (!has_room)
            push->code = store->host->fail(call, DRAY_FULL, ENOSPC,
                "%s: the disk is full, what room is left is for outcomes; make room", store->path);
        else
            code = part_push(store, call, push);
    }
    return code;
}

static int32_t run_parts(
    struct store *store, struct dray_call *call, struct dray_turn *turn, int has_room)
{
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < turn->nsettle && code == DRAY_OK; i++)
        code = part_settle(store, call, turn->settle[i], &turn->settle_answers[i]);
    if (code == DRAY_OK)
        code = push_groups(store, call, turn, has_room);
    for (uint32_t i = 0; i < turn->nextend && code == DRAY_OK; i++)
        code = part_extend(store, call, turn->extend[i], &turn->extend_answers[i]);
    if (code != DRAY_OK || !turn->reserve)
        return code;
    if (turn->reserve->only_id.len)
        turn->reserve_code =
            store->host->fail(call, DRAY_UNSUPPORTED, 0, "sqlite does not reserve a job by its id");
    else
        code = part_reserve(store, call, turn->reserve);
    return code;
}

static int32_t run_once(
    struct store *store, struct dray_call *call, struct dray_turn *turn, int has_room)
{
    preset(store, turn);
    /* A reserve or a renewal need not outlive the machine: the leases do not. */
    int32_t code = txn_begin(store, call, turn->nsettle || turn->npush);
    if (code != DRAY_OK)
        return code;
    if (turn->npush && has_room)
        has_room = spare_is_there(&store->spare, gate_clock_ms());
    code = txn_end(store, call, run_parts(store, call, turn, has_room));
    if (code == DRAY_OK && turn->npush && has_room)
        store->told_full = 0;
    return code;
}

/* The disk is full: the spare room is given up for outcomes, leases and what goes with them. */
static int32_t run_in_spare(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    int32_t code = txn_lock(store, call);
    if (code != DRAY_OK)
        return code;
    store->told_full &= !spare_drop(&store->spare, gate_clock_ms());
    txn_unlock(store);
    if (!store->told_full)
        store->host->log(store->host, DRAY_LOG_ERROR,
            "%s: the disk is full; pushes are refused until there is room", store->path);
    store->told_full = 1;
    return run_once(store, call, turn, 0);
}

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct store *store = self;
    txn_start_budget(store, call);
    if (turn->reserve)
        bell_clear(&store->bell, store->lock_path);
    int32_t code = run_once(store, call, turn, 1);
    if (code == DRAY_FULL && (turn->nsettle || turn->nextend || turn->reserve))
        code = run_in_spare(store, call, turn);
    if (code == DRAY_OK)
        part_hand_out(store, call);
    return code;
}

int32_t turn_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct dray_push *const groups[] = {group};
    struct dray_turn turn = {.size = sizeof(turn), .npush = 1, .push = groups};
    int32_t code = turn_turn(self, call, &turn);
    return code == DRAY_OK ? group->code : code;
}

int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct dray_turn turn = {.size = sizeof(turn), .reserve = want};
    int32_t code = turn_turn(self, call, &turn);
    return code == DRAY_OK ? turn.reserve_code : code;
}

static int32_t settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct dray_turn turn = {
        .size = sizeof(turn), .nsettle = n, .settle = leases, .settle_answers = answers};
    return turn_turn(self, call, &turn);
}

int32_t turn_ack(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    return settle(self, call, leases, answers, n);
}

int32_t turn_retry(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    return settle(self, call, leases, answers, n);
}

int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct dray_turn turn = {
        .size = sizeof(turn), .nextend = n, .extend = leases, .extend_answers = answers};
    return turn_turn(self, call, &turn);
}
