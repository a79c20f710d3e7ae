/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/plan.h"

#include "redis/record.h"
#include "redis/script.h"
#include "redis/store.h"
#include "redis/turn.h"

#include <stdio.h>
#include <string.h>

/* The plan as scripts/turn.lua takes it apart. */
#define SETTLE_STRIDE 6u
#define EXTEND_STRIDE 5u
#define GROUP_SIZE 8u
#define OWN_STRIDE 6u

static void pack_queue(struct store *store, struct dray_str name)
{
    pack_number(&store->plan, script_queue(store, name));
}

/* The last bytes of a note win; it is cut where a character begins. */
static void pack_note(struct buffer *plan, struct dray_str note)
{
    if (note.len > DRAY_NOTE_MAX) {
        note.data += note.len - DRAY_NOTE_MAX;
        note.len = DRAY_NOTE_MAX;
        while (note.len && ((unsigned char)note.data[0] & 0xc0) == 0x80) {
            note.data++;
            note.len--;
        }
    }
    pack_str(plan, note);
}

/* A list of texts: in the plan a format that takes it apart (struct.unpack's, of entries as wide as
   here), the texts themselves in the bulk, in the order of the plan. It spares the server an entry
   of a table each, one at a time. */
#define LENGTH_ID 3u
#define LENGTH_CONTENT 10u

static void put_length(char *out, uint32_t width, uint64_t len)
{
    out[0] = 'c';
    for (uint32_t i = width - 1; i > 0; i--, len /= 10)
        out[i] = (char)('0' + len % 10);
}

static int same_text(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ------------------------------------------------------------------------------------------- */
/* Verdicts                                                                                    */
/* ------------------------------------------------------------------------------------------- */

/* A success with nothing to keep, which most outcomes are. */
static int is_plain(const struct dray_lease *lease)
{
    return lease->verdict == DRAY_VERDICT_DONE && !(lease->flags & DRAY_LEASE_KEEP);
}

/* How many leases from `at` on make one row. */
static uint32_t run_length(const struct dray_turn *turn, uint32_t at)
{
    const struct dray_lease *first = turn->settle[at];
    uint32_t n = 1;
    if (!is_plain(first))
        return 1;
    while (at + n < turn->nsettle && is_plain(turn->settle[at + n]) &&
           same_text(turn->settle[at + n]->type, first->type) &&
           same_text(turn->settle[at + n]->queue, first->queue))
        n++;
    return n;
}

static void pack_notes(struct buffer *plan, const struct dray_lease *lease)
{
    pack_array(plan, 6);
    pack_number(plan, lease->verdict);
    pack_number(plan, lease->flags);
    pack_number(plan, lease->delay_ms);
    pack_note(plan, lease->error);
    pack_note(plan, lease->progress);
    pack_str(plan, lease->result);
}

/* One token if all have the same, as jobs of one reserve that were never tried before. */
static void pack_tokens(struct buffer *plan, const struct dray_lease *const *leases, uint32_t n)
{
    uint32_t same = 1;
    while (same < n && leases[same]->token.counter == leases[0]->token.counter &&
           leases[same]->token.nonce == leases[0]->token.nonce)
        same++;
    if (same == n) {
        record_pack_token(plan, leases[0]->token);
        return;
    }
    pack_array(plan, n);
    for (uint32_t i = 0; i < n; i++)
        record_pack_token(plan, leases[i]->token);
}

static void pack_settle_row(struct store *store, const struct dray_lease *const *leases, uint32_t n)
{
    struct buffer *plan = &store->plan;
    pack_queue(store, leases[0]->queue);
    pack_str(plan, leases[0]->type);
    char *lengths = pack_space(plan, (uint64_t)n * LENGTH_ID);
    for (uint32_t i = 0; i < n && lengths; i++)
        put_length(lengths + (size_t)i * LENGTH_ID, LENGTH_ID, leases[i]->id.len);
    for (uint32_t i = 0; i < n; i++)
        buffer_add(&store->bulk, leases[i]->id.data, leases[i]->id.len);
    pack_tokens(plan, leases, n);
    pack_array(plan, n);
    for (uint32_t i = 0; i < n; i++)
        pack_number(plan, leases[i]->run_ms);
    if (is_plain(leases[0]))
        pack_number(plan, 0);
    else
        pack_notes(plan, leases[0]);
}

static void pack_settles(struct store *store, const struct dray_turn *turn)
{
    uint32_t rows = 0;
    for (uint32_t at = 0; at < turn->nsettle; at += run_length(turn, at))
        rows++;
    pack_array(&store->plan, rows * SETTLE_STRIDE);
    for (uint32_t at = 0, n = 0; at < turn->nsettle; at += n) {
        n = run_length(turn, at);
        pack_settle_row(store, turn->settle + at, n);
    }
}

static void pack_extend(struct store *store, const struct dray_lease *lease)
{
    struct buffer *plan = &store->plan;
    pack_queue(store, lease->queue);
    pack_str(plan, lease->id);
    record_pack_token(plan, lease->token);
    pack_number(plan, lease->lease_ms);
    pack_note(plan, lease->progress);
}

/* ------------------------------------------------------------------------------------------- */
/* Pushes                                                                                      */
/* ------------------------------------------------------------------------------------------- */

/* Hands over each type, and how many in a row are of it; a group begins a row. Returns how many. */
static uint32_t each_type(struct dray_push *const *groups, uint32_t ngroups,
    void (*take)(struct store *store, struct dray_str type, uint32_t n), struct store *store)
{
    uint32_t rows = 0;
    for (uint32_t g = 0; g < ngroups; g++) {
        const struct dray_push *group = groups[g];
        for (uint32_t i = 0, n = 0; i < group->njobs; i += n, rows++) {
            n = 1;
            while (
                i + n < group->njobs && same_text(group->jobs[i + n]->type, group->jobs[i]->type))
                n++;
            if (take)
                take(store, group->jobs[i]->type, n);
        }
    }
    return rows;
}

static void pack_type(struct store *store, struct dray_str type, uint32_t n)
{
    pack_str(&store->plan, type);
    pack_number(&store->plan, n);
}

static void pack_types(struct store *store, struct dray_push *const *groups, uint32_t ngroups)
{
    pack_array(&store->plan, each_type(groups, ngroups, NULL, NULL) * 2);
    each_type(groups, ngroups, pack_type, store);
}

/* Whether the members differ from each other in no more than content. */
static int is_even(const struct dray_push *group)
{
    if (group->flags & DRAY_PUSH_RESTORE)
        return 0;
    for (uint32_t i = 0; i < group->njobs; i++) {
        const struct dray_job *job = group->jobs[i];
        if (job->priority != group->jobs[0]->priority || job->unique.len || job->delay_ms ||
            job->run_at_ms)
            return 0;
    }
    return 1;
}

static void pack_own(struct store *store, const struct dray_job *job, int restore)
{
    struct buffer *plan = &store->plan;
    int64_t run_at_ms = job->run_at_ms ? store_schedule(store, job->run_at_ms) : 0;
    pack_number(plan, job->priority);
    pack_str(plan, job->unique);
    pack_number(plan, job->delay_ms);
    /* Before 1970 is as due as 1 ms after; 0 means that there is no schedule. */
    pack_number(plan, run_at_ms > 0 ? (uint64_t)run_at_ms : job->run_at_ms != 0);
    if (restore) {
        record_pack_state(plan, job);
        record_pack_created(plan, job->created_ms);
    } else {
        pack_bytes(plan, NULL, 0);
        pack_bytes(plan, NULL, 0);
    }
}

/* Ids, contents and types. */
static void pack_members(struct store *store, struct dray_push *group)
{
    struct buffer *plan = &store->plan;
    char *lengths = pack_space(plan, (uint64_t)group->njobs * LENGTH_ID);
    for (uint32_t i = 0; i < group->njobs && lengths; i++)
        put_length(lengths + (size_t)i * LENGTH_ID, LENGTH_ID, group->jobs[i]->id.len);
    for (uint32_t i = 0; i < group->njobs; i++)
        buffer_add(&store->bulk, group->jobs[i]->id.data, group->jobs[i]->id.len);
    lengths = pack_space(plan, (uint64_t)group->njobs * LENGTH_CONTENT);
    for (uint32_t i = 0; i < group->njobs; i++) {
        uint64_t len = record_add_content(&store->bulk, group->jobs[i]);
        if (lengths)
            put_length(lengths + (size_t)i * LENGTH_CONTENT, LENGTH_CONTENT, len);
    }
    pack_types(store, &group, 1);
}

static void pack_group(struct store *store, struct dray_push *group)
{
    struct buffer *plan = &store->plan;
    pack_array(plan, GROUP_SIZE);
    pack_queue(store, group->queue);
    pack_number(plan, group->flags);
    pack_number(plan, group->capacity);
    pack_number(plan, group->njobs ? group->jobs[0]->priority : 0);
    pack_members(store, group);
    if (is_even(group)) {
        pack_number(plan, 0);
        return;
    }
    pack_array(plan, group->njobs * OWN_STRIDE);
    for (uint32_t i = 0; i < group->njobs; i++)
        pack_own(store, group->jobs[i], (group->flags & DRAY_PUSH_RESTORE) != 0);
}

static void pack_pushes(struct store *store, const struct dray_turn *turn)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < turn->npush; i++)
        n += turn->push[i]->code == DRAY_OK;
    pack_array(&store->plan, n);
    for (uint32_t i = 0; i < turn->npush; i++) {
        if (turn->push[i]->code == DRAY_OK)
            pack_group(store, turn->push[i]);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* The wish for jobs, and all of it                                                            */
/* ------------------------------------------------------------------------------------------- */

static void pack_keep(struct buffer *plan, uint64_t keep)
{
    if (keep == UINT64_MAX)
        pack_minus_one(plan);
    else
        pack_number(plan, keep);
}

static void pack_nonce(struct buffer *plan, uint64_t nonce)
{
    char bytes[8];
    put_number(bytes, sizeof(bytes), nonce);
    pack_bytes(plan, bytes, sizeof(bytes));
}

static void pack_reserve(struct store *store, const struct dray_reserve *want)
{
    struct buffer *plan = &store->plan;
    pack_array(plan, 9);
    pack_number(plan, want->max);
    pack_array(plan, want->nqueues);
    for (uint32_t i = 0; i < want->nqueues; i++)
        pack_queue(store, want->queues[i]);
    pack_number(plan, want->flags & DRAY_RESERVE_REPLAY);
    pack_number(plan, want->lease_ms);
    pack_nonce(plan, want->nonce);
    pack_bytes(plan, want->owner.data, want->owner.len < 255 ? want->owner.len : 255);
    pack_keep(plan, want->keep_done_ms);
    pack_keep(plan, want->keep_dead_ms);
    pack_keep(plan, want->keep_max);
}

int32_t plan_turn(
    struct store *store, struct dray_call *call, const struct dray_turn *turn, uint64_t *registered)
{
    struct buffer *plan = &store->plan;
    script_begin(store);
    pack_array(plan, 7);
    pack_number(plan, store_now(store));
    pack_settles(store, turn);
    pack_pushes(store, turn);
    pack_array(plan, turn->nextend * EXTEND_STRIDE);
    for (uint32_t i = 0; i < turn->nextend; i++)
        pack_extend(store, turn->extend[i]);
    if (turn->reserve && turn->reserve_code == DRAY_OK)
        pack_reserve(store, turn->reserve);
    else
        pack_number(plan, 0);
    *registered = plan->len;
    pack_number(plan, 0);
    pack_number(plan, (uint64_t)store->dedupe_ms);
    for (uint32_t i = 0; turn->reserve && i < turn->reserve->nqueues; i++) {
        if (script_queue(store, turn->reserve->queues[i]) == STORE_QUEUES_MAX)
            return store->host->fail(call, DRAY_LIMIT, 0,
                "more than %u queues in one call; name fewer", STORE_QUEUES_MAX);
    }
    return DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* Plain turns                                                                                 */
/* ------------------------------------------------------------------------------------------- */

#define PLAIN_SIZE 6u
#define PLAIN_STRIDE 4u
#define PLAIN_JOBS_MAX 2000u /* ids and contents go to a command at once */

static int same_queue(struct store *store, struct dray_str name)
{
    return script_queue(store, name) == 0;
}

/* Pushes that append.lua and plain.lua store as one: new jobs of one queue and one priority. */
static int plain_pushes(struct store *store, const struct dray_turn *turn)
{
    uint32_t jobs = 0;
    for (uint32_t i = 0; i < turn->npush; i++) {
        const struct dray_push *group = turn->push[i];
        if (group->code != DRAY_OK || !group->njobs || group->flags || group->capacity ||
            !is_even(group) || !same_queue(store, group->queue) ||
            group->jobs[0]->priority != turn->push[0]->jobs[0]->priority)
            return 0;
        jobs += group->njobs;
    }
    return jobs <= PLAIN_JOBS_MAX;
}

static uint64_t count_members(struct dray_push *const *groups, uint32_t ngroups)
{
    uint64_t n = 0;
    for (uint32_t g = 0; g < ngroups; g++)
        n += groups[g]->njobs;
    return n;
}

/* What a push brings, each a text of its own: ids, then contents. */
static void add_members(struct store *store, const struct dray_turn *turn)
{
    for (uint32_t g = 0; g < turn->npush; g++)
        for (uint32_t i = 0; i < turn->push[g]->njobs; i++)
            script_text(store, turn->push[g]->jobs[i]->id);
    for (uint32_t g = 0; g < turn->npush; g++)
        for (uint32_t i = 0; i < turn->push[g]->njobs; i++)
            script_added(store, record_add_content(&store->bulk, turn->push[g]->jobs[i]));
}

static void add_number(struct store *store, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    script_text(store, (struct dray_str){text, (uint64_t)len});
}

static void add_type(struct store *store, struct dray_str type, uint32_t n)
{
    script_text(store, type);
    add_number(store, n);
}

int plan_append(struct store *store, const struct dray_turn *turn)
{
    script_begin(store);
    if (!turn->npush || turn->nsettle || turn->nextend || turn->reserve ||
        !plain_pushes(store, turn))
        return 0;
    add_number(store, store_now(store));
    add_number(store, turn->push[0]->jobs[0]->priority);
    add_number(store, count_members(turn->push, turn->npush));
    add_members(store, turn);
    each_type(turn->push, turn->npush, add_type, store);
    return 1;
}

/* How many leases from `at` on have type and token in common. */
static uint32_t plain_run(const struct dray_turn *turn, uint32_t at)
{
    const struct dray_lease *first = turn->settle[at];
    uint32_t n = 1;
    while (at + n < turn->nsettle && turn->settle[at + n]->token.nonce == first->token.nonce &&
           turn->settle[at + n]->token.counter == first->token.counter &&
           same_text(turn->settle[at + n]->type, first->type))
        n++;
    return n;
}

static int plain_settles(struct store *store, const struct dray_turn *turn)
{
    for (uint32_t i = 0; i < turn->nsettle; i++) {
        if (!is_plain(turn->settle[i]) || !same_queue(store, turn->settle[i]->queue))
            return 0;
    }
    return 1;
}

/* A row: beside each id, all of them between blanks, as in the record that they are looked for in.
 */
static void pack_plain_run(struct store *store, const struct dray_lease *const *leases, uint32_t n)
{
    struct buffer *plan = &store->plan, *bulk = &store->bulk;
    uint64_t run_ms = 0, joined = 1;
    for (uint32_t i = 0; i < n; i++) {
        script_text(store, leases[i]->id);
        run_ms += leases[i]->run_ms < UINT64_MAX - run_ms ? leases[i]->run_ms : 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        buffer_add(bulk, " ", 1);
        buffer_add(bulk, leases[i]->id.data, leases[i]->id.len);
        joined += 1 + leases[i]->id.len;
    }
    buffer_add(bulk, " ", 1);
    script_added(store, joined);
    pack_str(plan, leases[0]->type);
    pack_number(plan, n);
    record_pack_token(plan, leases[0]->token);
    pack_number(plan, run_ms);
}

static void pack_plain_settles(struct store *store, const struct dray_turn *turn)
{
    uint32_t rows = 0;
    for (uint32_t at = 0; at < turn->nsettle; at += plain_run(turn, at))
        rows++;
    pack_array(&store->plan, rows * PLAIN_STRIDE);
    for (uint32_t at = 0, n = 0; at < turn->nsettle; at += n) {
        n = plain_run(turn, at);
        pack_plain_run(store, turn->settle + at, n);
    }
}

static int plain_reserve(struct store *store, const struct dray_turn *turn)
{
    const struct dray_reserve *want = turn->reserve;
    return !want || (turn->reserve_code == DRAY_OK && want->nqueues == 1 && !want->flags &&
                        same_queue(store, want->queues[0]));
}

static void pack_plain_reserve(struct buffer *plan, const struct dray_reserve *want)
{
    pack_array(plan, 4);
    pack_number(plan, want->max);
    pack_number(plan, want->lease_ms);
    pack_nonce(plan, want->nonce);
    pack_bytes(plan, want->owner.data, want->owner.len < 255 ? want->owner.len : 255);
}

static void pack_plain_keep(struct buffer *plan, const struct dray_reserve *want)
{
    pack_array(plan, 3);
    pack_keep(plan, want->keep_done_ms);
    pack_keep(plan, want->keep_dead_ms);
    pack_keep(plan, want->keep_max);
}

int plan_plain(struct store *store, const struct dray_turn *turn)
{
    struct buffer *plan = &store->plan;
    script_begin(store);
    if (turn->nextend || !(turn->nsettle || turn->reserve) || !plain_settles(store, turn) ||
        !plain_pushes(store, turn) || !plain_reserve(store, turn))
        return 0;
    pack_array(plan, PLAIN_SIZE);
    pack_number(plan, store_now(store));
    pack_plain_settles(store, turn);
    if (turn->npush) {
        pack_array(plan, 3);
        pack_number(plan, turn->push[0]->jobs[0]->priority);
        pack_number(plan, count_members(turn->push, turn->npush));
        pack_types(store, turn->push, turn->npush);
        add_members(store, turn);
    } else {
        pack_number(plan, 0);
    }
    if (turn->reserve)
        pack_plain_reserve(plan, turn->reserve);
    else
        pack_number(plan, 0);
    pack_number(plan, (uint64_t)store->dedupe_ms);
    if (turn->reserve)
        pack_plain_keep(plan, turn->reserve);
    else
        pack_number(plan, 0);
    return 1;
}
