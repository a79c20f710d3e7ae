/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/rights.h"

#include "redis/answer.h"
#include "redis/script.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

#define NAMED_MAX 200

/* Now 1 and "rights", in MessagePack: other calls' plans may be under way when a connection is
   made, and stay as they are. */
#define PLAN "\x92\x01\xa6rights"

/* As many of the refused commands as a message has room for. */
static const char *name_some(const redisReply *list, char out[NAMED_MAX])
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < list->elements; i++) {
        struct dray_str one;
        char plain[ANSWER_PLAIN], rest[32];
        int cut = snprintf(rest, sizeof(rest), " and %zu more", list->elements - i);
        if (!answer_str(list, i, &one))
            continue;
        answer_plain(one, plain);
        if (used && used + strlen(plain) + 2 + (size_t)cut >= NAMED_MAX) {
            snprintf(out + used, NAMED_MAX - used, "%s", rest);
            break;
        }
        used += (size_t)snprintf(out + used, NAMED_MAX - used, "%s%s", used ? ", " : "", plain);
        if (used >= NAMED_MAX)
            break;
    }
    return out;
}

static int32_t refuse(struct store *store, struct dray_call *call, const char *what)
{
    return store->host->fail(call, DRAY_DENIED, 0,
        "%s: this user may not %s; give it the commands, keys and channels of docs/deployment.md",
        store->link.where, what);
}

/* An answer that tells of no refusal is left to the calls that follow. */
static int32_t judge(struct store *store, struct dray_call *call, const redisReply *reply)
{
    char named[NAMED_MAX];
    if (answer_is_error(reply, "NOPERM"))
        return refuse(store, call, "EVALSHA");
    const redisReply *refused = script_said(reply, "rights", 2) ? answer_array(reply, 1) : NULL;
    if (!refused || !refused->elements)
        return DRAY_OK;
    return refuse(store, call, name_some(refused, named));
}

int32_t rights_check(struct store *store, struct dray_call *call)
{
    const char *queue = store->host->text(store->host, "queue", 0);
    const char *words[] = {"EVALSHA", store->link.scripts[SCRIPT_PEOPLE], "0", PLAN, store->prefix,
        queue && queue[0] ? queue : "default", NULL};
    redisReply *reply = NULL;
    int32_t code = link_say(store, call, store->link.context, words, &reply);
    if (code != DRAY_OK) {
        link_drop(store);
        return code;
    }
    code = judge(store, call, reply);
    freeReplyObject(reply);
    return code;
}
