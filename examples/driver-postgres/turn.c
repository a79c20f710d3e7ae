/* SPDX-License-Identifier: CC0-1.0 */
#include "turn.h"

#include "job.h"
#include "store.h"

/* Answers begin as the core preset them: a turn can run a second time. */
static void preset(struct dray_turn *turn)
{
    for (uint32_t i = 0; i < turn->nsettle; i++)
        turn->settle_answers[i] = DRAY_OK;
    for (uint32_t i = 0; i < turn->nextend; i++)
        turn->extend_answers[i] = DRAY_OK;
    for (uint32_t i = 0; i < turn->npush; i++) {
        turn->push[i]->code = DRAY_OK;
        for (uint32_t j = 0; j < turn->push[i]->njobs; j++)
            turn->push[i]->answers[j] = DRAY_OK;
    }
    turn->reserve_code = DRAY_OK;
}

static int32_t run_parts(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < turn->nsettle && code == DRAY_OK; i++)
        code = part_settle(store, call, turn->settle[i], &turn->settle_answers[i]);
    for (uint32_t i = 0; i < turn->npush && code == DRAY_OK; i++)
        code = part_push(store, call, turn->push[i]);
    for (uint32_t i = 0; i < turn->nextend && code == DRAY_OK; i++)
        code = part_extend(store, call, turn->extend[i], &turn->extend_answers[i]);
    if (code == DRAY_OK && turn->reserve)
        code = part_reserve(store, call, turn->reserve);
    return code == DRAY_OK ? tally_write(store, call) : code;
}

static int32_t run_once(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    preset(turn);
    tally_begin(store);
    /* A reserve or a renewal need not outlive the machine: the leases do not. */
    int32_t code = link_begin(store, call, turn->nsettle || turn->npush);
    if (code != DRAY_OK)
        return link_end(store, call, code);
    if (turn->reserve)
        bell_clear(store);
    return link_end(store, call, run_parts(store, call, turn));
}

static void hand_out(struct store *store, struct dray_call *call, int32_t code)
{
    for (uint32_t i = 0; i < store->nheld; i++) {
        if (code == DRAY_OK)
            job_show(call, store->held[i]);
        PQclear(store->held[i]);
    }
    store->nheld = 0;
}

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct store *store = self;
    store_enter(store, call);
    int32_t code = run_once(store, call, turn);
    hand_out(store, call, code);
    store_leave(store);
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

int32_t turn_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct dray_turn turn = {
        .size = sizeof(turn), .nsettle = n, .settle = leases, .settle_answers = answers};
    return turn_turn(self, call, &turn);
}

int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct dray_turn turn = {
        .size = sizeof(turn), .nextend = n, .extend = leases, .extend_answers = answers};
    return turn_turn(self, call, &turn);
}
