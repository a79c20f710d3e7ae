/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushing a group, all or none. First every member is staged: compared with what is there, copied
 * and entered into the indexes, where later members of the group find it. Only when all of them
 * are fine does any enter a state; else the staged ones are taken out again.
 */
#include "common/table_impl.h"

#define AHEAD 16u

struct stage {
    struct table *table;
    struct queue *queue;
    const struct table_now *now;
    struct dray_push *group;
    uint64_t stored, delayed, ended[2];
    int32_t refused; /* answer of the first refused member, or DRAY_OK */
};

static int same_content(const struct record *record, const struct dray_job *job)
{
    return names_equal(record->type->name, job->type) &&
           names_equal(record_unique(record), job->unique) &&
           names_equal(record_payload(record), job->payload);
}

static void tell_holder(const struct stage *stage, uint32_t member, uint32_t ref)
{
    if (!stage->group->holders)
        return;
    struct dray_str id = record_id(record_at(&stage->table->slab, ref));
    memcpy(stage->group->holders[member], id.data, id.len);
    stage->group->holders[member][id.len] = 0;
}

/* What the store, and the members staged so far, say to a new one. */
static int32_t compare(const struct stage *stage, uint32_t member, uint32_t hash, int ended)
{
    const struct dray_job *job = stage->group->jobs[member];
    uint32_t ref = table_find_id(stage->table, stage->queue, job->id, hash);

    if (ref) {
        const struct record *record = record_at(&stage->table->slab, ref);
        return same_content(record, job) ? DRAY_EXISTS : DRAY_CONFLICT;
    }
    if (!job->unique.len || ended)
        return DRAY_OK;
    ref = table_find_key(stage->table, stage->queue, job->unique);
    if (!ref)
        return DRAY_OK;
    tell_holder(stage, member, ref);
    return DRAY_DUPLICATE;
}

/* What only a restored job brings along. */
static int restore(struct table *table, struct record *record, const struct dray_job *job)
{
    if (!record_note(table, record, job->error, job->result, job->progress))
        return 0;
    record->attempts = job->attempts;
    record->releases = job->releases;
    record->token.counter = job->token.counter;
    record->created_ms = job->created_ms;
    record->until = job->ended_ms;
    record->flags |= (uint8_t)(job->flags & RECORD_CANCELLED);
    return 1;
}

/* The state that a job arrives in. */
static uint32_t arrival(const struct stage *stage, const struct dray_job *job)
{
    if (stage->group->flags & DRAY_PUSH_RESTORE) {
        if (job->state == DRAY_STATE_ACTIVE)
            return DRAY_STATE_READY;
        if (job->state)
            return job->state;
    }
    if (job->run_at_ms)
        return job->run_at_ms > stage->now->wall_ms ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
    return job->delay_ms ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
}

/* An absolute time becomes one of the clock that never jumps: that keeps its order by itself. */
static int64_t due_of(const struct stage *stage, const struct dray_job *job)
{
    int64_t late;

    if (!job->run_at_ms)
        return job->delay_ms ? time_after(stage->now->due_ms, job->delay_ms) : RECORD_NO_DUE;
    if (__builtin_sub_overflow(job->run_at_ms, stage->now->wall_ms, &late) ||
        late > INT64_MAX / 2 || late < -(INT64_MAX / 2))
        late = job->run_at_ms < 0 ? -(INT64_MAX / 2) : INT64_MAX / 2;
    return late > 0 ? time_after(stage->now->due_ms, (uint64_t)late) : stage->now->due_ms + late;
}

static int enter_indexes(struct stage *stage, uint32_t ref, uint32_t hash, int ended)
{
    struct table *table = stage->table;
    const struct record *record = record_at(&table->slab, ref);

    if (!index_add(&table->ids, hash, ref))
        return 0;
    if (!record->unique_len || ended)
        return 1;
    if (index_add(&table->keys, table_hash(stage->queue, record_unique(record)), ref))
        return 1;
    index_remove(&table->ids, hash, ref);
    return 0;
}

/* A new record for a member, in the indexes but in no state. 0 without memory. */
static uint32_t make(struct stage *stage, uint32_t member, uint32_t hash, uint32_t state)
{
    const struct dray_job *job = stage->group->jobs[member];
    struct table *table = stage->table;
    struct tally *type = table_type_make(table, stage->queue, job->type);
    uint32_t ref = type ? record_new(table, type, job) : 0;

    if (!ref)
        return 0;
    struct record *record = record_at(&table->slab, ref);
    record->hash = hash;
    record->created_ms = stage->now->wall_ms;
    record->due = due_of(stage, job);
    if (((stage->group->flags & DRAY_PUSH_RESTORE) && !restore(table, record, job)) ||
        !enter_indexes(stage, ref, hash, state >= DRAY_STATE_DEAD)) {
        record_free(table, ref);
        return 0;
    }
    return ref;
}

static int32_t stage_member(struct stage *stage, uint32_t member, uint32_t hash)
{
    uint32_t state = arrival(stage, stage->group->jobs[member]);
    int32_t answer = compare(stage, member, hash, state >= DRAY_STATE_DEAD);
    struct staged *staged = &stage->table->staged[member];

    *staged = (struct staged){0, state};
    stage->group->answers[member] = answer;
    if (answer == DRAY_DUPLICATE || answer == DRAY_CONFLICT) {
        if (!stage->refused)
            stage->refused = answer;
        return DRAY_OK;
    }
    if (answer == DRAY_EXISTS)
        return DRAY_OK;
    staged->ref = make(stage, member, hash, state);
    if (!staged->ref)
        return DRAY_NOMEM;
    stage->stored++;
    if (state == DRAY_STATE_DELAYED)
        stage->delayed++;
    if (state >= DRAY_STATE_DEAD)
        stage->ended[state - DRAY_STATE_DEAD]++;
    return DRAY_OK;
}

/* Looks some members ahead, so that the index's memory is on its way when it is needed. */
static int32_t stage_all(struct stage *stage, uint32_t *done)
{
    const struct dray_push *group = stage->group;
    uint32_t hashes[AHEAD];
    int32_t code = DRAY_OK;

    for (*done = 0; *done < group->njobs && code == DRAY_OK;) {
        uint32_t n = group->njobs - *done < AHEAD ? group->njobs - *done : AHEAD;
        for (uint32_t i = 0; i < n; i++)
            hashes[i] = table_hash(stage->queue, group->jobs[*done + i]->id);
        for (uint32_t i = 0; i < n && n > 1; i++)
            index_touch(&stage->table->ids, hashes[i]);
        for (uint32_t i = 0; i < n && code == DRAY_OK; i++)
            code = stage_member(stage, (*done)++, hashes[i]);
    }
    return code;
}

static void unstage(struct stage *stage, uint32_t members)
{
    struct table *table = stage->table;

    for (uint32_t i = members; i-- > 0;) {
        uint32_t ref = table->staged[i].ref;
        if (!ref)
            continue;
        if (table->staged[i].state < DRAY_STATE_DEAD)
            table_drop_key(table, ref);
        index_remove(&table->ids, record_at(&table->slab, ref)->hash, ref);
        record_free(table, ref);
    }
}

/* Is there room for what was staged? */
static int32_t check_room(const struct stage *stage, struct dray_call *call)
{
    struct table *table = stage->table;
    struct queue *queue = stage->queue;
    const uint64_t *counts = queue->counts;
    uint64_t active = counts[DRAY_STATE_ACTIVE];
    uint64_t live = counts[DRAY_STATE_READY] + counts[DRAY_STATE_DELAYED] + active + stage->stored -
                    stage->ended[0] - stage->ended[1];

    if (!stage->stored)
        return DRAY_OK;
    if (table->nrecords + stage->stored > table->capacity)
        return table->host->fail(call, DRAY_FULL, 0,
            "the %s driver holds its %llu jobs; try again later, or raise its capacity",
            table->driver, (unsigned long long)table->capacity);
    if (stage->group->capacity && live > stage->group->capacity)
        return table->host->fail(call, DRAY_FULL, 0,
            "queue %.*s would hold more than its limit of %llu jobs; try again later",
            (int)queue->name.len, queue->name.data, (unsigned long long)stage->group->capacity);
    if (!times_ensure(&queue->delayed, table->host, queue->delayed.count + stage->delayed + active))
        return DRAY_NOMEM;
    for (int i = 0; i < 2; i++) {
        struct times *ended = &queue->ended[i];
        if (stage->ended[i] &&
            !times_ensure(ended, table->host, ended->count + stage->ended[i] + active))
            return DRAY_NOMEM;
    }
    return DRAY_OK;
}

/* Nothing in here can fail. */
static void commit(struct stage *stage)
{
    struct table *table = stage->table;
    struct queue *queue = stage->queue;
    int counted = !(stage->group->flags & DRAY_PUSH_RESTORE);

    for (uint32_t i = 0; i < stage->group->njobs; i++) {
        uint32_t ref = table->staged[i].ref;
        if (!ref)
            continue;
        const struct record *record = record_at(&table->slab, ref);
        record->type->pushed += (uint64_t)counted;
        if (table->staged[i].state == DRAY_STATE_READY)
            state_ready(table, queue, ref);
        else if (table->staged[i].state == DRAY_STATE_DELAYED)
            state_delayed(table, queue, ref, record->due);
        else
            state_ended(table, queue, ref, table->staged[i].state, record->until);
        tell_job(table, counted ? TABLE_PUSH : TABLE_JOB, ref, NULL);
    }
    table->nrecords += stage->stored;
    queue->used |= stage->stored != 0;
}

static int ensure_staged(struct table *table, uint32_t n)
{
    if (n <= table->staged_room)
        return 1;
    uint32_t room = n < 64 ? 64 : n;
    struct staged *staged = table->host->resize(table->host, table->staged, room * sizeof(*staged));
    if (!staged)
        return 0;
    table->staged = staged;
    table->staged_room = room;
    return 1;
}

int32_t table_push(struct table *table, struct dray_call *call, const struct table_now *now,
    struct dray_push *group)
{
    struct stage stage = {.table = table, .now = now, .group = group};
    uint32_t members = 0;
    int32_t code = DRAY_NOMEM;

    stage.queue = table_queue_make(table, group->queue);
    if (stage.queue && ensure_staged(table, group->njobs))
        code = stage_all(&stage, &members);
    if (code == DRAY_OK)
        code = stage.refused ? stage.refused : check_room(&stage, call);
    if (code == DRAY_OK)
        commit(&stage);
    else
        unstage(&stage, members);
    if (code == DRAY_NOMEM)
        table->host->fail(
            call, code, 0, "no memory for %u more jobs; nothing was stored", group->njobs);
    group->code = code;
    return code;
}
