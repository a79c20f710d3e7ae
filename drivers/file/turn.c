/* SPDX-License-Identifier: Apache-2.0 */
#include "file/turn.h"

#include "common/table_event.h"
#include "file/journal.h"
#include "file/line.h"
#include "file/session.h"

#define AROUND 512u /* more than a record takes around its texts */
#define WORST 6u    /* bytes of one escaped byte */

/* A call whose jobs are held back until the turn is written. */
struct held {
    struct dray_call call;
    struct store *store;
};

static void hold(struct dray_call *call, const struct dray_job *job)
{
    struct store *store = ((struct held *)(void *)call)->store;

    store->refs[store->nrefs++] = job->ref;
}

static void hand_out(struct store *store, struct dray_call *call)
{
    struct dray_job job = {0};

    for (uint32_t i = 0; i < store->nrefs; i++) {
        table_show_ref(store->table, &store->now, store->refs[i], &job);
        call->job(call, &job);
    }
}

static int ensure_refs(struct store *store, uint32_t n)
{
    if (n <= store->refs_room)
        return 1;
    uint64_t *refs = store->host->resize(store->host, store->refs, n * sizeof(*refs));
    if (!refs)
        return 0;
    store->refs = refs;
    store->refs_room = n;
    return 1;
}

static int32_t reserve(struct store *store, struct dray_call *call, const struct dray_reserve *want)
{
    struct held held = {*call, store};
    struct dray_reserve fitting = *want;

    if (!ensure_refs(store, want->max))
        return store->host->fail(
            call, DRAY_NOMEM, 0, "no memory to lease up to %u jobs; try again", want->max);
    held.call.job = hold;
    if (want->max)
        fitting.max = journal_room_to_lease(store, call, want->max);
    if (want->max && !fitting.max)
        return DRAY_FULL;
    int32_t code = table_reserve(store->table, &held.call, &store->now, &fitting);
    call->next_ms = held.call.next_ms;
    return code;
}

/* What the records of a group take at most. */
static uint64_t size_of(const struct dray_push *group)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < group->njobs; i++) {
        const struct dray_job *job = group->jobs[i];
        bytes += AROUND +
                 WORST * (job->name.len + job->unique.len + job->error.len + job->progress.len +
                             job->result.len) +
                 job->queue.len + job->id.len + job->type.len + job->group.len + job->payload.len +
                 line_extra(job->payload, 1);
    }
    return bytes;
}

static void push(
    struct store *store, struct dray_call *call, struct dray_push *group, uint64_t *bytes)
{
    if (group->njobs > SESSION_MAX_PUSH) {
        group->code = store->host->fail(call, DRAY_LIMIT, 0,
            "a batch of %u jobs is above the limit of %u; split it", group->njobs,
            SESSION_MAX_PUSH);
        return;
    }
    uint64_t with = *bytes + size_of(group);
    group->code = journal_make_room(store, call, with);
    if (group->code != DRAY_OK)
        return;
    table_push(store->table, call, &store->now, group);
    if (group->code == DRAY_OK)
        *bytes = with;
}

int32_t turn_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct store *store = self;
    uint64_t bytes = 0;
    int32_t code = session_begin(store, call, SESSION_WRITE);

    if (code == DRAY_OK) {
        push(store, call, group, &bytes);
        code = session_end(store, call, DRAY_OK, 1);
    }
    if (code != DRAY_OK)
        group->code = code;
    return group->code;
}

int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct store *store = self;

    bell_clear(&store->bell, store->lock_path);
    int32_t code = session_begin(store, call, SESSION_WRITE);
    if (code != DRAY_OK)
        return code;
    code = session_end(store, call, reserve(store, call, want), 0);
    if (code == DRAY_OK)
        hand_out(store, call);
    return code;
}

int32_t turn_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct store *store = self;
    int32_t code = session_begin(store, call, SESSION_WRITE);

    if (code != DRAY_OK)
        return code;
    table_settle(store->table, call, &store->now, leases, answers, n);
    return session_end(store, call, DRAY_OK, 1);
}

int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    struct store *store = self;
    int32_t code = session_begin(store, call, SESSION_WRITE);

    if (code != DRAY_OK)
        return code;
    code = journal_room_to_extend(store, call, n);
    if (code == DRAY_OK)
        table_extend(store->table, call, &store->now, leases, answers, n);
    return session_end(store, call, code, 0);
}

static void extend(struct store *store, struct dray_call *call, struct dray_turn *turn)
{
    int32_t code = journal_room_to_extend(store, call, turn->nextend);

    for (uint32_t i = 0; code != DRAY_OK && i < turn->nextend; i++)
        turn->extend_answers[i] = code;
    if (code == DRAY_OK)
        table_extend(
            store->table, call, &store->now, turn->extend, turn->extend_answers, turn->nextend);
}

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    struct store *store = self;
    uint64_t bytes = 0;

    if (turn->reserve)
        bell_clear(&store->bell, store->lock_path);
    int32_t code = session_begin(store, call, SESSION_WRITE);
    if (code != DRAY_OK)
        return code;
    table_settle(
        store->table, call, &store->now, turn->settle, turn->settle_answers, turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++)
        push(store, call, turn->push[i], &bytes);
    extend(store, call, turn);
    if (turn->reserve)
        turn->reserve_code = reserve(store, call, turn->reserve);
    code = session_end(store, call, DRAY_OK, turn->nsettle + turn->npush != 0);
    if (code == DRAY_OK)
        hand_out(store, call);
    return code;
}
