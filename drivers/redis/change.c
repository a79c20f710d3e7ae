/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/answer.h"
#include "redis/people.h"
#include "redis/script.h"
#include "redis/store.h"

static int32_t code_of(char letter)
{
    switch (letter) {
    case 'O':
        return DRAY_OK;
    case 'C':
        return DRAY_CONFLICT;
    case 'D':
        return DRAY_DUPLICATE;
    case 'N':
        return DRAY_NOTFOUND;
    default:
        return DRAY_UNKNOWN;
    }
}

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct store *store = self;
    struct buffer *plan = &store->plan;
    redisReply *reply = NULL;
    struct dray_str letters = {NULL, 0};

    link_begin(store, call);
    script_begin(store);
    script_queue(store, change->queue);
    pack_array(plan, 6);
    pack_number(plan, store_now(store));
    pack_bytes(plan, "change", 6);
    pack_number(plan, change->what);
    pack_number(plan, change->flags & DRAY_CHANGE_FORCE);
    pack_array(plan, change->nids);
    for (uint32_t i = 0; i < change->nids; i++)
        pack_str(plan, change->ids[i]);
    uint64_t registered = plan->len;
    pack_number(plan, 0);
    int32_t code = script_call(store, call, SCRIPT_PEOPLE, 0, registered, &reply);
    if (code != DRAY_OK)
        return code;
    uint32_t wanted = change->what < DRAY_CHANGE_PAUSE ? change->nids : 1;
    if (!script_said(reply, "change", 2) || !answer_str(reply, 1, &letters) || !letters.data ||
        letters.len != wanted) {
        freeReplyObject(reply);
        return answer_strange(store, call, 0);
    }
    for (uint32_t i = 0; i < change->nids; i++)
        change->answers[i] = code_of(letters.data[i]);
    freeReplyObject(reply);
    return DRAY_OK;
}
