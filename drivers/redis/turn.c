/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/turn.h"

#include "redis/answer.h"
#include "redis/plan.h"
#include "redis/record.h"
#include "redis/script.h"
#include "redis/store.h"
#include "redis/told.h"

#include <string.h>

/* The answers' letters, as scripts/settle.lua and push.lua give them. */
static int lease_code(char letter, int32_t *code)
{
    *code = letter == 'S' ? DRAY_STALE : letter == 'X' ? DRAY_CANCELLED : DRAY_OK;
    return letter == 'O' || *code != DRAY_OK;
}

static int member_code(char letter, int32_t *code)
{
    *code = letter == 'E'   ? DRAY_EXISTS
            : letter == 'C' ? DRAY_CONFLICT
            : letter == 'D' ? DRAY_DUPLICATE
                            : DRAY_OK;
    return letter == 'O' || *code != DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* Reading the answer                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* Each returns 0 if the answer is not what the script gives. */

static int read_leases(const redisReply *reply, size_t at, int32_t *answers, uint32_t n)
{
    struct dray_str letters;
    if (!answer_str(reply, at, &letters) || letters.len != n)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!lease_code(letters.data[i], &answers[i]))
            return 0;
    }
    return 1;
}

static int read_holders(const redisReply *list, struct dray_push *group)
{
    if (!list || (list->elements && list->elements != group->njobs))
        return 0;
    for (uint32_t i = 0; group->holders && i < list->elements; i++) {
        struct dray_str holder;
        if (!answer_str(list, i, &holder) || holder.len > DRAY_NAME_MAX)
            return 0;
        if (holder.len)
            memcpy(group->holders[i], holder.data, (size_t)holder.len);
        group->holders[i][holder.len] = 0;
    }
    return 1;
}

static int read_group(
    struct store *store, struct dray_call *call, const redisReply *row, struct dray_push *group)
{
    struct dray_str code, letters;
    if (!answer_str(row, 0, &code) || code.len != 1 || !answer_str(row, 1, &letters) ||
        letters.len != group->njobs || !read_holders(answer_array(row, 2), group))
        return 0;
    for (uint32_t i = 0; i < group->njobs; i++) {
        if (!member_code(letters.data[i], &group->answers[i]))
            return 0;
    }
    if (code.data[0] == 'F')
        group->code = store->host->fail(call, DRAY_FULL, 0,
            "queue %.*s is at its capacity of %llu jobs; let workers drain it, or raise "
            "capacity",
            (int)group->queue.len, group->queue.data, (unsigned long long)group->capacity);
    else if (code.data[0] == 'M')
        group->code = store->host->fail(call, DRAY_FULL, 0,
            "%s: the server's memory is full; raise maxmemory, or let workers drain it",
            store->link.where);
    else
        return member_code(code.data[0], &group->code);
    return 1;
}

static int read_groups(
    struct store *store, struct dray_call *call, const redisReply *list, struct dray_turn *turn)
{
    size_t at = 0;
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (turn->push[i]->code != DRAY_OK)
            continue; /* too large, was left out */
        const redisReply *row = answer_array(list, at++);
        if (!row || !read_group(store, call, row, turn->push[i]))
            return 0;
    }
    return list && at == list->elements;
}

/* A block of jobs: queue, ids, contents, and their states or the one that all have in common. */
struct block {
    struct dray_str queue;
    const redisReply *ids, *contents, *states;
    struct dray_str state; /* if `states` is NULL */
};

static int read_block(struct store *store, const redisReply *blocks, size_t at, struct block *block)
{
    const redisReply *row = answer_array(blocks, at);
    int64_t queue;
    *block = (struct block){.ids = answer_array(row, 1),
        .contents = answer_array(row, 2),
        .states = answer_array(row, 3)};
    if (!answer_number(row, 0, &queue) || queue < 0 || queue >= store->nqueues || !block->ids ||
        !block->contents || block->contents->elements != block->ids->elements)
        return 0;
    block->queue = store->queues[queue];
    if (block->states)
        return block->states->elements == block->ids->elements;
    return answer_str(row, 3, &block->state);
}

static int read_row(const struct block *block, size_t at, struct dray_job *job)
{
    struct dray_str content, state = block->state;
    *job = (struct dray_job){.size = sizeof(*job)};
    if (!answer_str(block->ids, at, &job->id) || !answer_str(block->contents, at, &content) ||
        (block->states && !answer_str(block->states, at, &state)))
        return 0;
    job->queue = block->queue;
    return record_read(job, content, state, 0) && job->state == DRAY_STATE_ACTIVE;
}

/* Hands out what a block holds. A record that makes no sense is left alone and told. */
static void hand_out(struct store *store, struct dray_call *call, const struct block *block,
    const struct dray_reserve *want)
{
    for (size_t at = 0; at < block->ids->elements; at++) {
        struct dray_job job;
        if (!read_row(block, at, &job)) {
            told_record(store, block->queue, job.id);
            continue;
        }
        job.lease_left_ms = want->lease_ms;
        call->job(call, &job);
    }
}

/* All blocks are looked at before the first job of any is handed out. */
static int read_blocks(struct store *store, struct dray_call *call, const redisReply *blocks,
    const struct dray_reserve *want)
{
    struct block block;
    size_t jobs = 0;
    for (size_t i = 0; blocks && i < blocks->elements; i++) {
        if (!read_block(store, blocks, i, &block) || block.ids->elements > want->max)
            return 0;
        jobs += block.ids->elements;
    }
    if (!blocks || jobs > want->max)
        return 0;
    for (size_t i = 0; i < blocks->elements; i++) {
        if (read_block(store, blocks, i, &block))
            hand_out(store, call, &block, want);
    }
    return 1;
}

static int read_reserve(
    struct store *store, struct dray_call *call, const redisReply *reply, struct dray_turn *turn)
{
    struct dray_str trouble;
    int64_t wait;
    if (!turn->reserve || turn->reserve_code != DRAY_OK)
        return 1;
    if (!answer_number(reply, 4, &wait) || !answer_str(reply, 6, &trouble))
        return 0;
    if (trouble.len) {
        turn->reserve_code = answer_text(store, call, trouble);
        return 1;
    }
    call->next_ms = wait < 0 ? DRAY_NEXT_NEVER : (uint64_t)wait;
    return read_blocks(store, call, answer_array(reply, 5), turn->reserve);
}

/* What was pushed a moment ago and is handed out without having waited: the first ones of the
   turn's pushes, the state that they have in common, and when they were made. */
struct direct {
    int64_t n, created_ms;
    struct dray_str state;
};

static int read_direct(
    const redisReply *row, const struct dray_turn *turn, uint64_t room, struct direct *direct)
{
    uint64_t pushed = 0;
    struct dray_job job = {.size = sizeof(job)};
    for (uint32_t i = 0; i < turn->npush; i++)
        pushed += turn->push[i]->njobs;
    if (!answer_number(row, 0, &direct->n) || !answer_str(row, 1, &direct->state) ||
        !answer_number(row, 2, &direct->created_ms) || direct->n < 0 ||
        (uint64_t)direct->n > pushed || (uint64_t)direct->n > room)
        return 0;
    return !direct->n ||
           (record_read_state(&job, direct->state, 0) && job.state == DRAY_STATE_ACTIVE);
}

static void hand_out_one(struct dray_call *call, const struct dray_turn *turn,
    const struct dray_push *group, const struct dray_job *pushed, const struct direct *direct)
{
    struct dray_job job = {.size = sizeof(job),
        .priority = pushed->priority,
        .id = pushed->id,
        .queue = group->queue,
        .type = pushed->type,
        .payload = pushed->payload,
        .name = pushed->name,
        .group = pushed->group,
        .timeout_ms = pushed->timeout_ms,
        .max_attempts = pushed->max_attempts,
        .created_ms = direct->created_ms};
    (void)record_read_state(&job, direct->state, 0); /* it was read once before */
    job.lease_left_ms = turn->reserve->lease_ms;
    call->job(call, &job);
}

static void hand_out_direct(
    struct dray_call *call, const struct dray_turn *turn, const struct direct *direct)
{
    int64_t left = direct->n;
    for (uint32_t g = 0; g < turn->npush; g++) {
        const struct dray_push *group = turn->push[g];
        for (uint32_t i = 0; i < group->njobs && left > 0; i++, left--)
            hand_out_one(call, turn, group, group->jobs[i], direct);
    }
}

/* What plain.lua did is as the preset answers say. */
static int32_t read_plain(
    struct store *store, struct dray_call *call, const redisReply *reply, struct dray_turn *turn)
{
    const redisReply *blocks = answer_array(reply, 2);
    struct direct direct;
    uint64_t room = turn->reserve ? turn->reserve->max : 0;
    int64_t wait;
    if (!script_said(reply, "plain", 4) || !answer_number(reply, 1, &wait))
        return answer_strange(store, call, 0);
    for (size_t i = 0; blocks && i < blocks->elements; i++) {
        const redisReply *ids = answer_array(answer_array(blocks, i), 1);
        room -= ids && ids->elements < room ? ids->elements : room;
    }
    if (!read_direct(answer_array(reply, 3), turn, room, &direct))
        return answer_strange(store, call, 0);
    if (!turn->reserve)
        return DRAY_OK;
    call->next_ms = wait < 0 ? DRAY_NEXT_NEVER : (uint64_t)wait;
    if (!read_blocks(store, call, blocks, turn->reserve))
        return answer_strange(store, call, 0);
    hand_out_direct(call, turn, &direct);
    return DRAY_OK;
}

/* The records that the script has passed over, if any: how many more, then queues and ids. */
static int read_strange(struct store *store, const redisReply *list)
{
    struct dray_str id;
    int64_t more = 0, queue;
    if (!answer_number(list, 0, &more) || more < 0)
        return 0;
    for (size_t at = 1; at < list->elements; at += 2) {
        if (!answer_number(list, at, &queue) || queue < 0 || queue >= store->nqueues ||
            !answer_str(list, at + 1, &id))
            return 0;
        told_record(store, store->queues[queue], id);
    }
    if (more)
        told_more(store, (uint64_t)more);
    return 1;
}

static int32_t read_turn(
    struct store *store, struct dray_call *call, const redisReply *reply, struct dray_turn *turn)
{
    if (script_said(reply, "turn", 7) &&
        read_leases(reply, 1, turn->settle_answers, turn->nsettle) &&
        read_groups(store, call, answer_array(reply, 2), turn) &&
        read_leases(reply, 3, turn->extend_answers, turn->nextend) &&
        (reply->elements < 8 || read_strange(store, answer_array(reply, 7))) &&
        read_reserve(store, call, reply, turn))
        return DRAY_OK;
    return answer_strange(store, call, 0);
}

/* ------------------------------------------------------------------------------------------- */
/* The operations                                                                              */
/* ------------------------------------------------------------------------------------------- */

/* What is refused before anything is sent. */
static void refuse_some(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (turn->push[i]->njobs > TURN_MAX_PUSH)
            turn->push[i]->code = store->host->fail(call, DRAY_LIMIT, 0,
                "a batch of %u jobs: redis takes at most %u at once; split it",
                turn->push[i]->njobs, TURN_MAX_PUSH);
    }
    if (turn->reserve && turn->reserve->only_id.len)
        turn->reserve_code =
            store->host->fail(call, DRAY_UNSUPPORTED, 0, "redis does not reserve a job by its id");
}

/* Plain pushes by the script that is made for them. 0 if that one has left them alone, or if it is
   something else. The preset answers are those of pushes that were stored. */
static int append(
    struct store *store, struct dray_call *call, const struct dray_turn *turn, int32_t *code)
{
    redisReply *reply = NULL;
    if (!plan_append(store, turn))
        return 0;
    *code = script_call(store, call, SCRIPT_APPEND, 0, 0, &reply);
    int careful = *code == DRAY_OK && script_said(reply, "careful", 1);
    if (*code == DRAY_OK && !careful && !script_said(reply, "appended", 1))
        *code = answer_strange(store, call, 0);
    if (reply)
        freeReplyObject(reply);
    return !careful;
}

/* What a look by plain.lua stumbled on, such as jobs that were tried before, is mostly there for a
   while: after so many turns, doubled each time, it is asked again. */
#define CAREFUL_MOST 64u

/* The same for turns of more than pushes, by the script for plain ones. */
static int plain(struct store *store, struct dray_call *call, struct dray_turn *turn, int32_t *code)
{
    redisReply *reply = NULL;
    if (store->careful_left) {
        store->careful_left--;
        return 0;
    }
    if (!plan_plain(store, turn))
        return 0;
    *code = script_call(store, call, SCRIPT_PLAIN, 0, 0, &reply);
    int careful = *code == DRAY_OK && script_said(reply, "careful", 1);
    if (*code == DRAY_OK && !careful)
        *code = read_plain(store, call, reply, turn);
    if (reply)
        freeReplyObject(reply);
    if (!careful)
        store->careful = 0;
    else if (store->careful < CAREFUL_MOST)
        store->careful = store->careful * 2 + 1;
    store->careful_left = careful ? store->careful - 1 : 0;
    return !careful;
}

/* What ended lately is put where a push that is sent again can look it up, a part a call. */
static int32_t fold(struct store *store, struct dray_call *call, const struct dray_turn *turn)
{
    int32_t code = DRAY_OK;
    int64_t more = 1;
    while (code == DRAY_OK && more) {
        redisReply *reply = NULL;
        script_begin(store);
        for (uint32_t i = 0; i < turn->npush; i++) {
            if (turn->push[i]->flags & DRAY_PUSH_RESEND)
                script_queue(store, turn->push[i]->queue);
        }
        if (!store->nqueues)
            return DRAY_OK;
        pack_array(&store->plan, 3);
        pack_number(&store->plan, store_now(store));
        pack_bytes(&store->plan, "fold", 4);
        pack_number(&store->plan, (uint64_t)store->dedupe_ms);
        code = script_call(store, call, SCRIPT_PEOPLE, 1, 0, &reply);
        if (code == DRAY_OK && (!script_said(reply, "fold", 2) || !answer_number(reply, 1, &more)))
            code = answer_strange(store, call, 1);
        if (reply)
            freeReplyObject(reply);
    }
    return code;
}

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct store *store = self;
    redisReply *reply = NULL;
    uint64_t registered = 0;

    link_begin(store, call);
    refuse_some(store, call, turn);
    if (turn->reserve)
        bell_clear(store, call);
    int32_t code = DRAY_OK;
    if (append(store, call, turn, &code))
        return code;
    if (!plain(store, call, turn, &code)) {
        code = fold(store, call, turn);
        if (code == DRAY_OK)
            code = plan_turn(store, call, turn, &registered);
        if (code != DRAY_OK || !store->nqueues)
            return code;
        code = script_call(store, call, SCRIPT_TURN, 0, registered, &reply);
        if (code != DRAY_OK)
            return code;
        code = read_turn(store, call, reply, turn);
        freeReplyObject(reply);
    }
    if (code == DRAY_OK && turn->reserve && bell_rang(store))
        call->next_ms = 0;
    return code;
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
