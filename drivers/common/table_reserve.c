/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out jobs, and what goes with every look at a queue: expiry, promotion, pruning. */
#include "common/table_impl.h"

#define PRUNE_SLICE 256u /* ended jobs forgotten in one call: bounds how long a reserve takes */

struct look {
    struct table *table;
    struct dray_call *call;
    const struct table_now *now;
    const struct dray_reserve *want;
    struct owner *owner;
    uint32_t left; /* how many more may be handed out */
    uint32_t prunes;
    uint64_t next_ms;
    struct dray_job job;
};

static void expire(struct look *look, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&look->table->slab, ref);

    state_leave(look->table, queue, ref);
    record->token.nonce = 0;
    record->error = RECORD_ERROR_EXPIRED;
    record->due = RECORD_NO_DUE;
    record->type->failed++;
    state_ready(look->table, queue, ref);
    tell_job(look->table, TABLE_EXPIRE, ref, NULL);
}

static void sweep(struct look *look, struct queue *queue)
{
    const struct slab *slab = &look->table->slab;
    int64_t now = look->now->mono_ms;

    while (queue->leases.head && record_at(slab, queue->leases.head)->until < now)
        expire(look, queue, queue->leases.head);
    while (queue->odd_leases.count && queue->odd_leases.entries[0].when < now)
        expire(look, queue, queue->odd_leases.entries[0].ref);
    while (queue->delayed.count && queue->delayed.entries[0].when <= look->now->due_ms) {
        uint32_t ref = queue->delayed.entries[0].ref;
        state_leave(look->table, queue, ref);
        state_ready(look->table, queue, ref);
        tell_job(look->table, TABLE_DUE, ref, NULL);
    }
}

static int is_over(const struct times *ended, uint64_t keep_ms, int64_t wall_ms)
{
    if (!ended->count || keep_ms > (uint64_t)(INT64_MAX / 2))
        return 0;
    return ended->entries[0].when < wall_ms - (int64_t)keep_ms;
}

/* The heap whose first job is the next to be forgotten, or NULL. */
static struct times *next_over(const struct look *look, struct queue *queue)
{
    struct times *dead = &queue->ended[0], *done = &queue->ended[1];
    int64_t wall_ms = look->now->wall_ms;

    if (is_over(dead, look->want->keep_dead_ms, wall_ms))
        return dead;
    if (is_over(done, look->want->keep_done_ms, wall_ms))
        return done;
    if ((uint64_t)dead->count + done->count <= look->want->keep_max)
        return NULL;
    if (!dead->count || !done->count)
        return dead->count ? dead : done;
    return dead->entries[0].when <= done->entries[0].when ? dead : done;
}

static void prune(struct look *look, struct queue *queue)
{
    struct times *over;

    while (look->prunes < PRUNE_SLICE && (over = next_over(look, queue))) {
        uint32_t ref = over->entries[0].ref;
        state_leave(look->table, queue, ref);
        tell_job(look->table, TABLE_REMOVE, ref, NULL);
        table_forget(look->table, ref);
        look->prunes++;
    }
}

static void show(struct look *look, uint32_t ref)
{
    table_show(look->table, look->now, ref, &look->job);
    look->call->job(look->call, &look->job);
    look->left--;
}

static void hand_out(struct look *look, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&look->table->slab, ref);

    state_leave(look->table, queue, ref);
    record->attempts++;
    record->token.counter++;
    record->token.nonce = look->want->nonce;
    record->owner = look->owner;
    state_active(look->table, queue, ref, time_after(look->now->mono_ms, look->want->lease_ms));
    tell_job(look->table, TABLE_LEASE, ref, NULL);
    show(look, ref);
}

static void hand_out_ready(struct look *look, struct queue *queue)
{
    const struct slab *slab = &look->table->slab;

    while (look->left && queue->ready_mask) {
        uint32_t priority = (uint32_t)__builtin_ctz(queue->ready_mask);
        uint32_t ref = queue->ready[priority].head;
        uint32_t next = record_at(slab, ref)->next;
        if (next) {
            const char *ahead = slab_at(slab, next);
            __builtin_prefetch(ahead, 1);
            __builtin_prefetch(ahead + 64, 1);
            __builtin_prefetch(ahead + 128);
            __builtin_prefetch(ahead + 192);
        }
        hand_out(look, queue, ref);
    }
}

static void hand_out_only(struct look *look, struct queue *queue)
{
    struct dray_str id = look->want->only_id;
    uint32_t ref = table_find_id(look->table, queue, id, table_hash(queue, id));

    if (!ref || !look->left)
        return;
    uint32_t state = record_at(&look->table->slab, ref)->state;
    if (state == DRAY_STATE_READY || state == DRAY_STATE_DELAYED)
        hand_out(look, queue, ref);
}

/* A repeated reserve: what its nonce holds is shown again, its lease begun anew. */
static void replay_one(struct look *look, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&look->table->slab, ref);
    int64_t until = time_after(look->now->mono_ms, look->want->lease_ms);

    if (record->token.nonce != look->want->nonce || !look->left)
        return;
    if (until > record->until) {
        state_leave(look->table, queue, ref);
        state_active(look->table, queue, ref, until);
        tell_job(look->table, TABLE_EXTEND, ref, NULL);
    }
    show(look, ref);
}

static void replay(struct look *look, struct queue *queue)
{
    const struct slab *slab = &look->table->slab;
    uint32_t last = queue->leases.tail;

    for (uint32_t i = queue->odd_leases.count; i-- > 0;)
        replay_one(look, queue, queue->odd_leases.entries[i].ref);
    for (uint32_t ref = queue->leases.head, next; ref; ref = next) {
        next = ref == last ? 0 : record_at(slab, ref)->next;
        replay_one(look, queue, ref);
    }
}

static void note_next(struct look *look, int64_t when, int64_t now)
{
    int64_t wait = when > now ? when - now : 0;

    if ((uint64_t)wait < look->next_ms)
        look->next_ms = (uint64_t)wait;
}

static void find_next(struct look *look, const struct queue *queue)
{
    const struct slab *slab = &look->table->slab;

    if (queue->ready_mask && !queue->paused)
        look->next_ms = 0;
    if (queue->delayed.count)
        note_next(look, queue->delayed.entries[0].when, look->now->due_ms);
    /* A lease has ended in the millisecond after its last one. */
    if (queue->leases.head)
        note_next(look, record_at(slab, queue->leases.head)->until + 1, look->now->mono_ms);
    if (queue->odd_leases.count)
        note_next(look, queue->odd_leases.entries[0].when + 1, look->now->mono_ms);
}

#define CONSUMER_EVERY_MS 10000 /* who listens hears no more often of the consumer */

static void note_consumer(struct look *look, struct queue *queue)
{
    queue->consumer = look->owner;
    queue->consumer_ms = look->now->mono_ms;
    queue->used = 1;
    if (queue->consumer_told && look->now->mono_ms - queue->told_ms < CONSUMER_EVERY_MS)
        return;
    queue->consumer_told = 1;
    queue->told_ms = look->now->mono_ms;
    tell_queue(look->table, TABLE_CONSUMER, queue);
}

static void visit(struct look *look, struct queue *queue)
{
    const struct dray_reserve *want = look->want;

    sweep(look, queue);
    prune(look, queue);
    if (want->max)
        note_consumer(look, queue);
    if (!queue->paused) {
        if (want->flags & DRAY_RESERVE_REPLAY)
            replay(look, queue);
        if (want->only_id.len)
            hand_out_only(look, queue);
        else
            hand_out_ready(look, queue);
    }
    find_next(look, queue);
}

/* All memory that handing out can take, before anything changes. */
static int prepare(struct look *look)
{
    const struct dray_reserve *want = look->want;

    if (!want->max)
        return 1;
    look->owner = table_owner_make(look->table, want->owner);
    if (!look->owner)
        return 0;
    for (uint32_t i = 0; i < want->nqueues; i++) {
        struct queue *queue = table_queue_make(look->table, want->queues[i]);
        if (!queue)
            return 0;
        const uint64_t *counts = queue->counts;
        uint64_t most =
            counts[DRAY_STATE_READY] + counts[DRAY_STATE_DELAYED] + counts[DRAY_STATE_ACTIVE];
        if (!state_reserve(look->table, queue, most < want->max ? most : want->max))
            return 0;
    }
    return 1;
}

int32_t table_reserve(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_reserve *want)
{
    struct look look = {.table = table,
        .call = call,
        .now = now,
        .want = want,
        .left = want->max,
        .next_ms = DRAY_NEXT_NEVER};

    if (!prepare(&look))
        return table->host->fail(
            call, DRAY_NOMEM, 0, "no memory to lease up to %u jobs; try again", want->max);
    for (uint32_t i = 0; i < want->nqueues; i++) {
        struct queue *queue = table_queue(table, want->queues[i]);
        if (queue)
            visit(&look, queue);
    }
    call->next_ms = look.next_ms;
    return DRAY_OK;
}
