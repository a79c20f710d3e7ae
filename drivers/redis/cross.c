/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/cross.h"

#include "redis/answer.h"
#include "redis/script.h"
#include "redis/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void note(struct dray_call *call, struct dray_tend *tend, const char *line)
{
    tend->damaged++;
    if (call->note)
        call->note(call, line);
}

/* `key` is empty for a job whose record is all that there is of it. */
static void note_stray(struct dray_call *call, struct dray_tend *tend, struct dray_str queue,
    struct dray_str key, struct dray_str id)
{
    char line[320], plain[ANSWER_PLAIN];
    answer_plain(id, plain);
    if (key.len)
        snprintf(line, sizeof(line),
            "queue %.*s, job %.64s: is in %.*s, and its record says otherwise; it is passed over",
            (int)queue.len, queue.data, plain, (int)(key.len < 16 ? key.len : 16), key.data);
    else
        snprintf(line, sizeof(line),
            "queue %.*s, job %.64s: is where nobody looks for it; retry it or delete it",
            (int)queue.len, queue.data, plain);
    note(call, tend, line);
}

static int read_cross(struct dray_call *call, struct dray_tend *tend, const redisReply *reply,
    struct dray_str queue, struct cross *at)
{
    const redisReply *ids = answer_array(reply, 4);
    struct dray_str cursor, key, id;
    int64_t missing;
    char line[160];
    if (!script_said(reply, "cross", 6) || !answer_number(reply, 1, &at->place) ||
        !answer_str(reply, 2, &cursor) || cursor.len >= sizeof(at->cursor) ||
        !answer_str(reply, 3, &key) || !ids || !answer_number(reply, 5, &missing) ||
        at->place < 0 || missing < 0)
        return 0;
    snprintf(at->cursor, sizeof(at->cursor), "%.*s", (int)cursor.len, cursor.data);
    for (size_t i = 0; i < ids->elements; i++) {
        if (!answer_str(ids, i, &id))
            return 0;
        note_stray(call, tend, queue, key, id);
    }
    if (missing) {
        snprintf(line, sizeof(line), "queue %.*s: %" PRId64 " ready jobs are in no list",
            (int)queue.len, queue.data, missing);
        note(call, tend, line);
    }
    return 1;
}

int32_t cross_some(struct store *store, struct dray_call *call, struct dray_tend *tend,
    struct dray_str queue, struct cross *at)
{
    redisReply *reply = NULL;
    script_begin(store);
    script_queue(store, queue);
    pack_array(&store->plan, 4);
    pack_number(&store->plan, store_now(store));
    pack_bytes(&store->plan, "cross", 5);
    pack_number(&store->plan, (uint64_t)at->place);
    pack_bytes(&store->plan, at->cursor, strlen(at->cursor));
    int32_t code = script_call(store, call, SCRIPT_PEOPLE, 1, 0, &reply);
    if (code == DRAY_OK && !read_cross(call, tend, reply, queue, at))
        code = answer_strange(store, call, 1);
    if (reply)
        freeReplyObject(reply);
    return code;
}
