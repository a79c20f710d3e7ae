/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/rights.h"

#include "redis/answer.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 6

/*
 * What the user of docs/deployment.md may do to keys and channels, and a way to find out that
 * changes nothing: N is a key that is never there, L is the layout key, whose type does not fit the
 * commands that would make one, and C is a channel to which nobody listens.
 */
static const char *const trials[] = {"TIME", "PUBLISH C 1", "DEL N", "EXISTS N", "RENAME N N",
    "PEXPIRE N 1", "GET N", "SET N 1 XX", "SADD L 1", "SMEMBERS N", "SCARD N", "SISMEMBER N 1",
    "HGET N 1", "HSET L 1 1", "HMGET N 1", "HLEN N", "HDEL N 1", "HKEYS N", "HSCAN N 0",
    "HGETALL N", "HEXISTS N 1", "HINCRBY L 1 1", "RPUSH L 1", "LRANGE N 0 0", "LTRIM N 0 -1",
    "LLEN N", "LINDEX N 0", "ZADD N XX 1 1", "ZREM N 1", "ZCARD N", "ZRANGE N 0 0",
    "ZRANGEBYSCORE N 0 0", "ZSCAN N 0", "ZSCORE N 1"};
#define TRIALS (sizeof(trials) / sizeof(trials[0]))

struct names {
    char none[STORE_PREFIX_MAX + 16], layout[STORE_PREFIX_MAX + 16], channel[STORE_PREFIX_MAX + 16];
};

/* The name that a single letter stands for, or NULL. */
static const char *named(const struct names *names, const char *word, size_t len)
{
    if (len != 1)
        return NULL;
    switch (word[0]) {
    case 'N':
        return names->none;
    case 'L':
        return names->layout;
    case 'C':
        return names->channel;
    default:
        return NULL;
    }
}

static void add_trial(struct buffer *text, const char *trial, const struct names *names)
{
    const char *words[WORDS_MAX];
    size_t lens[WORDS_MAX];
    int n = 0;
    for (const char *at = trial; *at && n < WORDS_MAX; n++) {
        size_t len = strcspn(at, " ");
        const char *name = named(names, at, len);
        words[n] = name ? name : at;
        lens[n] = name ? strlen(name) : len;
        at += len + (at[len] == ' ');
    }
    char *data = NULL;
    long long len = redisFormatCommandArgv(&data, n, words, lens);
    if (len < 0) {
        text->failed = 1;
        return;
    }
    buffer_add(text, data, (uint64_t)len);
    redisFreeCommand(data);
}

/* What was refused so far, and the first of the server's reasons. */
struct refused {
    char commands[200];
    char reason[ANSWER_PLAIN];
};

static void note(struct refused *refused, const char *trial, const redisReply *reply)
{
    size_t used = strlen(refused->commands);
    if (!used)
        answer_plain((struct dray_str){reply->str, reply->len}, refused->reason);
    snprintf(refused->commands + used, sizeof(refused->commands) - used, "%s%.*s", used ? ", " : "",
        (int)strcspn(trial, " "), trial);
}

static int32_t try_all(
    struct store *store, struct dray_call *call, const struct buffer *text, struct refused *refused)
{
    redisContext *context = store->link.context;
    for (size_t i = 0; i < TRIALS; i++) {
        redisReply *reply = NULL;
        size_t len = i ? 0 : (size_t)text->len;
        int32_t code = link_talk(store, call, context, text->data, len, &reply);
        if (code != DRAY_OK) {
            link_drop(store);
            return code;
        }
        if (answer_is_error(reply, "NOPERM"))
            note(refused, trials[i], reply);
        freeReplyObject(reply);
    }
    return DRAY_OK;
}

int32_t rights_check(struct store *store, struct dray_call *call)
{
    struct buffer text = {.host = store->host};
    struct refused refused = {"", ""};
    struct names names;
    snprintf(names.none, sizeof(names.none), "{%s}:none", store->prefix);
    snprintf(names.layout, sizeof(names.layout), "{%s}:layout", store->prefix);
    snprintf(names.channel, sizeof(names.channel), "{%s}:bell", store->prefix);
    for (size_t i = 0; i < TRIALS; i++)
        add_trial(&text, trials[i], &names);
    int32_t code = text.failed
                       ? store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where)
                       : try_all(store, call, &text, &refused);
    buffer_free(&text);
    if (code != DRAY_OK || !refused.commands[0])
        return code;
    return store->host->fail(call, DRAY_DENIED, 0,
        "%s: this user may not %s (%s); give it the commands, keys and channels of "
        "docs/deployment.md",
        store->link.where, refused.commands, refused.reason);
}
