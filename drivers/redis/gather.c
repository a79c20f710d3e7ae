/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/gather.h"

#include "redis/answer.h"
#include "redis/people.h"
#include "redis/script.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

/* Where jobs of these states are, in the order in which one can go from one to the other: a job
   that moves on while ids are gathered is met twice and not missed. Jobs that are ready or active
   change places too freely for that, and only the hash of all jobs has them for certain. */
static const struct {
    uint32_t state;
    const char *key;
} sets[] = {{DRAY_STATE_DELAYED, "delayed"}, {DRAY_STATE_DELAYED, "retrying"},
    {DRAY_STATE_DELAYED, "parked"}, {DRAY_STATE_DONE, "done"}, {DRAY_STATE_DEAD, "dead"}};
#define NSETS (sizeof(sets) / sizeof(sets[0]))

#define IN_SETS (1u << DRAY_STATE_DELAYED | 1u << DRAY_STATE_DONE | 1u << DRAY_STATE_DEAD)

/* From `at` on; NSETS if there is none. Without states: 0, for all jobs. */
static uint32_t next_set(const struct listing *listing, uint32_t at)
{
    while (listing->states && at < NSETS && !(listing->states & 1u << sets[at].state))
        at++;
    return at;
}

static struct dray_str set_under_way(const struct listing *listing)
{
    const char *key = listing->states ? sets[listing->at_set].key : "jobs";
    return (struct dray_str){key, strlen(key)};
}

/* The end of a set, and of a queue after its last. */
static void end_set(struct listing *listing)
{
    listing->at_set = next_set(listing, listing->at_set + 1);
    if (listing->states && listing->at_set < NSETS)
        return;
    listing_sort(listing, listing->sorted);
    listing->sorted = listing_count(listing);
    listing->at_queue++;
    listing->at_set = next_set(listing, 0);
}

static int32_t check_memory(
    struct store *store, struct dray_call *call, const struct listing *listing)
{
    if (listing->text.failed || listing->rows.failed || listing->queues.failed)
        return store->host->fail(call, DRAY_NOMEM, 0, "no memory for a listing");
    return DRAY_OK;
}

static void add_queue(
    struct listing *listing, const struct dray_filter *filter, struct dray_str queue)
{
    uint32_t name = listing_add_name(listing, queue);
    if (filter->id.len)
        listing_add(listing, name, filter->id);
    else
        buffer_add(&listing->queues, &name, sizeof(name));
}

int32_t gather_begin(struct store *store, struct dray_call *call, struct listing *listing,
    const struct dray_filter *filter)
{
    redisReply *names = NULL;
    snprintf(listing->cursor, sizeof(listing->cursor), "0");
    listing->states = filter->states & ~IN_SETS ? 0 : filter->states;
    listing->at_set = next_set(listing, 0);
    if (filter->queue.len) {
        add_queue(listing, filter, filter->queue);
        return check_memory(store, call, listing);
    }
    int32_t code = people_queues(store, call, &names);
    for (size_t i = 0; code == DRAY_OK && i < names->elements; i++) {
        struct dray_str queue;
        if (answer_str(names, i, &queue) && queue.len <= DRAY_NAME_MAX)
            add_queue(listing, filter, queue);
    }
    if (names)
        freeReplyObject(names);
    return code == DRAY_OK ? check_memory(store, call, listing) : code;
}

static uint32_t queue_under_way(const struct listing *listing)
{
    uint32_t name;
    memcpy(&name, listing->queues.data + listing->at_queue * sizeof(name), sizeof(name));
    return name;
}

static int32_t gather_part(struct store *store, struct dray_call *call, struct listing *listing)
{
    redisReply *reply = NULL;
    struct dray_str next, id;
    uint32_t name = queue_under_way(listing);

    script_begin(store);
    script_queue(store, listing_name(listing, name));
    pack_array(&store->plan, 4);
    pack_number(&store->plan, store_now(store));
    pack_bytes(&store->plan, "ids", 3);
    pack_bytes(&store->plan, listing->cursor, strlen(listing->cursor));
    pack_str(&store->plan, set_under_way(listing));
    int32_t code = script_call(store, call, SCRIPT_PEOPLE, 1, 0, &reply);
    if (code != DRAY_OK)
        return code;
    const redisReply *ids = answer_array(reply, 2);
    /* A cursor that stays where it is would never come round. */
    if (!script_said(reply, "ids", 3) || !ids || !answer_str(reply, 1, &next) || next.len > 20 ||
        (strcmp(listing->cursor, "0") != 0 && next.len == strlen(listing->cursor) &&
            memcmp(next.data, listing->cursor, (size_t)next.len) == 0)) {
        freeReplyObject(reply);
        return answer_strange(store, call, 1);
    }
    snprintf(listing->cursor, sizeof(listing->cursor), "%.*s", (int)next.len, next.data);
    for (size_t i = 0; i < ids->elements; i++) {
        if (answer_str(ids, i, &id) && id.len <= DRAY_NAME_MAX)
            listing_add(listing, name, id);
    }
    freeReplyObject(reply);
    return check_memory(store, call, listing);
}

int gather_is_over(const struct listing *listing)
{
    return listing->at_queue * sizeof(uint32_t) == listing->queues.len;
}

int32_t gather_some(
    struct store *store, struct dray_call *call, struct listing *listing, int64_t until_ms)
{
    while (!gather_is_over(listing)) {
        int32_t code = gather_part(store, call, listing);
        if (code != DRAY_OK)
            return code;
        if (strcmp(listing->cursor, "0") == 0)
            end_set(listing);
        if (store_clock_ms() >= until_ms)
            break;
    }
    return DRAY_OK;
}
