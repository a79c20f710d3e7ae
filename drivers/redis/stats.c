/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/answer.h"
#include "redis/people.h"
#include "redis/script.h"
#include "redis/store.h"

#include <string.h>

#define AT_ONCE 64u /* queues a script call */

/* The counts of a row, in the order of scripts/people.lua. */
enum { DELAYED, RETRYING, PARKED, LEASES, DEAD, DONE, ALL, COUNTS };

int32_t people_queues(struct store *store, struct dray_call *call, redisReply **reply)
{
    struct buffer *keys = &store->keys;
    int32_t code = link_ready(store, call);
    if (code != DRAY_OK)
        return code;
    buffer_reset(keys);
    buffer_add(keys, "{", 1);
    buffer_add(keys, store->prefix, strlen(store->prefix));
    buffer_add(keys, "}:queues", 9);
    if (keys->failed)
        return store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where);
    const char *words[] = {"SMEMBERS", keys->data};
    size_t lens[] = {8, keys->len - 1};
    struct request request = {2, words, lens, 1};
    code = link_ask(store, call, &request, reply);
    if (code != DRAY_OK || (*reply)->type == REDIS_REPLY_ARRAY)
        return code;
    code = (*reply)->type == REDIS_REPLY_ERROR ? answer_error(store, call, *reply, "SMEMBERS")
                                               : answer_strange(store, call, 1);
    freeReplyObject(*reply);
    *reply = NULL;
    return code;
}

/* One queue's totals, a row a type. The fields are "name:type" and numbers, in any order. */
struct total {
    const char *name;
    size_t offset;
};

#define TOTAL(field) #field ":", offsetof(struct dray_stats_row, field)
static const struct total totals[] = {{TOTAL(pushed)}, {TOTAL(completed)}, {TOTAL(failed)},
    {TOTAL(retried)}, {TOTAL(died)}, {TOTAL(runs)}, {TOTAL(run_ms)}};
#define NTOTALS (sizeof(totals) / sizeof(totals[0]))

/* Which total a field is; its type. NULL if it is none. */
static const struct total *total_of(struct dray_str field, struct dray_str *type)
{
    for (size_t i = 0; i < NTOTALS; i++) {
        size_t len = strlen(totals[i].name);
        if (field.len > len && memcmp(field.data, totals[i].name, len) == 0) {
            *type = (struct dray_str){field.data + len, field.len - len};
            return &totals[i];
        }
    }
    return NULL;
}

static uint64_t number_of(struct dray_str text)
{
    uint64_t value = 0;
    for (uint64_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        value = value < UINT64_MAX / 16 ? value * 10 + (uint64_t)(text.data[i] - '0') : value;
    return value;
}

static int same(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, (size_t)a.len) == 0;
}

static int seen_before(const redisReply *list, size_t end, struct dray_str type)
{
    struct dray_str field, other;
    for (size_t i = 0; i < end; i += 2) {
        if (answer_str(list, i, &field) && total_of(field, &other) && same(other, type))
            return 1;
    }
    return 0;
}

/* Types are few, so each is gathered by a walk over all fields. */
static void give_totals(struct dray_call *call, const redisReply *list, struct dray_str queue)
{
    struct dray_str field, value, type, other;
    for (size_t i = 0; i + 1 < list->elements; i += 2) {
        if (!answer_str(list, i, &field) || !total_of(field, &type) || seen_before(list, i, type))
            continue;
        struct dray_stats_row row = {.size = sizeof(row), .queue = queue, .type = type};
        for (size_t k = i; k + 1 < list->elements; k += 2) {
            if (!answer_str(list, k, &field) || !answer_str(list, k + 1, &value))
                continue;
            const struct total *total = total_of(field, &other);
            uint64_t number = number_of(value);
            if (total && same(other, type))
                memcpy((char *)&row + total->offset, &number, sizeof(number));
        }
        call->stats(call, &row);
    }
}

static int give_queue(struct dray_call *call, const redisReply *answer, struct dray_str queue)
{
    const redisReply *counts = answer_array(answer, 1), *list = answer_array(answer, 5);
    struct dray_stats_row row = {.size = sizeof(row), .queue = queue};
    int64_t paused, age, oldest, n[COUNTS];
    if (!answer_number(answer, 0, &paused) || !answer_str(answer, 2, &row.consumer) ||
        !answer_number(answer, 3, &age) || !answer_number(answer, 4, &oldest) || !list)
        return 0;
    for (size_t i = 0; i < COUNTS; i++) {
        if (!answer_number(counts, i, &n[i]) || n[i] < 0)
            return 0;
    }
    int64_t others = n[DELAYED] + n[RETRYING] + n[PARKED] + n[LEASES] + n[DEAD] + n[DONE];
    row.paused = paused != 0;
    row.ready = n[ALL] > others ? (uint64_t)(n[ALL] - others) : 0;
    row.delayed = (uint64_t)(n[DELAYED] + n[RETRYING] + n[PARKED]);
    row.retrying = (uint64_t)n[RETRYING];
    row.parked = (uint64_t)n[PARKED];
    row.active = (uint64_t)n[LEASES];
    row.dead = (uint64_t)n[DEAD];
    row.done = (uint64_t)n[DONE];
    row.consumer_age_ms = (uint64_t)age;
    row.oldest_ready_ms = oldest;
    call->stats(call, &row);
    give_totals(call, list, queue);
    return 1;
}

static int32_t some_stats(struct store *store, struct dray_call *call)
{
    redisReply *reply = NULL;
    pack_array(&store->plan, 2);
    pack_number(&store->plan, store_now(store));
    pack_bytes(&store->plan, "stats", 5);
    int32_t code = script_call(store, call, SCRIPT_PEOPLE, 1, 0, &reply);
    if (code != DRAY_OK)
        return code;
    if (!script_said(reply, "stats", 1 + store->nqueues))
        code = answer_strange(store, call, 1);
    for (uint32_t i = 0; code == DRAY_OK && i < store->nqueues; i++) {
        if (!give_queue(call, answer_array(reply, 1 + i), store->queues[i]))
            code = answer_strange(store, call, 1);
    }
    freeReplyObject(reply);
    return code;
}

int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    struct store *store = self;
    redisReply *names = NULL;
    link_begin(store, call);
    int32_t code = n ? DRAY_OK : people_queues(store, call, &names);
    size_t all = names ? names->elements : n;
    for (size_t from = 0; code == DRAY_OK && from < all; from += AT_ONCE) {
        script_begin(store);
        for (size_t i = from; i < all && i < from + AT_ONCE; i++) {
            struct dray_str queue = {NULL, 0};
            if (!names)
                queue = queues[i];
            else
                answer_str(names, i, &queue);
            if (queue.len && queue.len <= DRAY_NAME_MAX)
                script_queue(store, queue);
        }
        if (store->nqueues)
            code = some_stats(store, call);
    }
    if (names)
        freeReplyObject(names);
    return code;
}
