/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/server.h"

#include "redis/answer.h"
#include "redis/rights.h"
#include "redis/script.h"
#include "redis/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT "2"
#define LAYOUT_BEFORE "1" /* which is one of these, too */

/* One small command; an error reply is left to the caller, no reply costs the connection. */
static int32_t say(
    struct store *store, struct dray_call *call, const char *const *words, redisReply **reply)
{
    int32_t code = link_say(store, call, store->link.context, words, reply);
    if (code != DRAY_OK)
        link_drop(store);
    return code;
}

/* ------------------------------------------------------------------------------------------- */
/* What INFO and CONFIG tell                                                                   */
/* ------------------------------------------------------------------------------------------- */

/* The value of a line "name:value" of INFO, up to its end; empty if there is none. */
static struct dray_str info(const redisReply *reply, const char *name)
{
    size_t len = strlen(name);
    const char *at = reply->str, *end = reply->str + reply->len;
    while (at && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t width = (size_t)((stop ? stop : end) - at);
        if (width > len && memcmp(at, name, len) == 0 && at[len] == ':') {
            const char *value = at + len + 1;
            size_t rest = width - len - 1;
            if (rest && value[rest - 1] == '\r')
                rest--;
            return (struct dray_str){value, rest};
        }
        at = stop ? stop + 1 : NULL;
    }
    return (struct dray_str){"", 0};
}

static int is(struct dray_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

static int is_string(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_STRING && is((struct dray_str){reply->str, reply->len}, word);
}

/* Leading digits. */
static long major(struct dray_str version)
{
    long value = 0;
    for (uint64_t i = 0; i < version.len && version.data[i] >= '0' && version.data[i] <= '9'; i++)
        value = value < 100000 ? value * 10 + (version.data[i] - '0') : value;
    return value;
}

static int32_t judge_info(struct store *store, struct dray_call *call, const redisReply *reply)
{
    const struct dray_host *host = store->host;
    const char *where = store->link.where;
    char plain[ANSWER_PLAIN];
    struct dray_str version = info(reply, "redis_version"), mode = info(reply, "redis_mode");
    struct dray_str policy = info(reply, "maxmemory_policy");
    if (!version.len)
        return host->fail(
            call, DRAY_UNSUPPORTED, 0, "%s: this is not Redis; check `connections`", where);
    if (major(version) < 7)
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: version %s is too old; Dray needs 7.0 or newer", where,
            answer_plain(version, plain));
    if (is(mode, "sentinel"))
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: is a sentinel; name it under `sentinels`, and the `master`", where);
    if (is(mode, "cluster"))
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: runs as a cluster, which is not supported yet; name a single server, or sentinels",
            where);
    if (!is(info(reply, "role"), "master"))
        return store->sentinel.n
                   ? host->fail(call, DRAY_UNREACHABLE, 0,
                         "%s: is a replica; the sentinels are asked again", where)
                   : host->fail(call, DRAY_UNSUPPORTED, 0,
                         "%s: is a replica, jobs there would vanish; name the master, or its "
                         "sentinels",
                         where);
    if (policy.len && !is(policy, "noeviction"))
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: maxmemory-policy is %s, so the server may throw jobs away; set it to "
            "noeviction, or use a server of its own",
            where, answer_plain(policy, plain));
    if (is(info(reply, "loading"), "1"))
        return host->fail(
            call, DRAY_BUSY, 0, "%s: the server is still loading its data; wait", where);
    return DRAY_OK;
}

/* Another server, or the same one started again: it knows nothing of connections before. */
static void note_server(struct store *store, struct dray_str run_id)
{
    struct link *link = &store->link;
    if (run_id.len > LINK_RUN_ID || (run_id.len && is(run_id, link->run_id)))
        return;
    if (run_id.len)
        memcpy(link->run_id, run_id.data, (size_t)run_id.len);
    link->run_id[run_id.len] = 0;
    link->server++;
    link->lost_id = 0;
}

/* What appendfsync is set to: host, process, or process with a word that it is not known. */
static int32_t ask_fsync(struct store *store, struct dray_call *call)
{
    static const char *const words[] = {"CONFIG", "GET", "appendfsync", NULL};
    redisReply *reply = NULL;
    struct dray_str value;
    int32_t code = say(store, call, words, &reply);
    if (code != DRAY_OK)
        return code;
    store->durability = DRAY_DURABILITY_PROCESS;
    if (answer_str(reply, 1, &value)) {
        if (is(value, "always"))
            store->durability = DRAY_DURABILITY_HOST;
    } else {
        store->host->log(store->host, DRAY_LOG_INFO,
            "%s: CONFIG GET is not permitted, so appendfsync is not known; taken as everysec "
            "(durability: process)",
            store->link.where);
    }
    freeReplyObject(reply);
    return DRAY_OK;
}

static int32_t look_at_server(struct store *store, struct dray_call *call)
{
    static const char *const words[] = {"INFO", NULL};
    redisReply *reply = NULL;
    uint32_t before = store->durability;
    int32_t code = say(store, call, words, &reply);
    if (code != DRAY_OK)
        return code;
    int text = reply->type == REDIS_REPLY_STRING;
    int aof = text && is(info(reply, "aof_enabled"), "1");
    if (reply->type == REDIS_REPLY_ERROR)
        code = answer_error(store, call, reply, "INFO");
    else
        code = text ? judge_info(store, call, reply) : answer_strange(store, call, 1);
    if (code == DRAY_OK)
        note_server(store, info(reply, "run_id"));
    freeReplyObject(reply);
    if (code == DRAY_OK && aof)
        code = ask_fsync(store, call);
    else if (code == DRAY_OK)
        store->durability = DRAY_DURABILITY_VOLATILE;
    if (code == DRAY_OK && before > store->durability)
        store->host->log(store->host, DRAY_LOG_WARN,
            "%s: now keeps less than when it was opened; check appendonly and appendfsync",
            store->link.where);
    return code;
}

int32_t server_durability(struct store *store, struct dray_call *call)
{
    static const char *const names[] = {"", "volatile", "process", "host", "replicated"};
    uint32_t wanted = call->durability;
    call->durability = store->durability;
    if (wanted <= store->durability)
        return DRAY_OK;
    if (wanted == DRAY_DURABILITY_REPLICATED)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "durability replicated is not supported by redis yet; host is the most");
    return store->host->fail(call, DRAY_UNSUPPORTED, 0,
        "%s: durability %s is wanted, the server gives %s; set appendonly yes and appendfsync %s",
        store->link.where, names[wanted <= DRAY_DURABILITY_HOST ? wanted : 0],
        names[store->durability], wanted == DRAY_DURABILITY_HOST ? "always" : "everysec");
}

/* ------------------------------------------------------------------------------------------- */
/* Connections, layout, scripts                                                                */
/* ------------------------------------------------------------------------------------------- */

/*
 * A request may still be on its way over a connection that was given up. Ended here, what the
 * server has not read of it is never carried out, so that a push sent again cannot come before its
 * first copy. Users without CLIENT KILL live without that.
 */
static int32_t end_lost(struct store *store, struct dray_call *call)
{
    static const char *const words[] = {"CLIENT", "ID", NULL};
    struct link *link = &store->link;
    redisReply *reply = NULL;
    int32_t code = say(store, call, words, &reply);
    if (code != DRAY_OK)
        return code;
    link->own_id = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    if (!link->lost_id)
        return DRAY_OK;
    char id[24];
    const char *end[] = {"CLIENT", "KILL", "ID", id, NULL};
    snprintf(id, sizeof(id), "%" PRId64, link->lost_id);
    code = say(store, call, end, &reply);
    if (code == DRAY_OK) {
        freeReplyObject(reply);
        link->lost_id = 0;
    }
    return code;
}

/* The layout key of the prefix: ours, or made now. It is read first, for a server whose memory is
   full refuses to write it even where it is there. */
static int32_t check_layout(struct store *store, struct dray_call *call)
{
    char key[STORE_PREFIX_MAX + 16], plain[ANSWER_PLAIN];
    const char *read[] = {"GET", key, NULL};
    const char *make[] = {"SET", key, LAYOUT, "NX", "GET", NULL};
    const char *raise[] = {"SET", key, LAYOUT, "XX", "GET", NULL};
    redisReply *reply = NULL;
    snprintf(key, sizeof(key), "{%s}:layout", store->prefix);
    int32_t code = say(store, call, read, &reply);
    if (code == DRAY_OK && reply->type == REDIS_REPLY_NIL) {
        freeReplyObject(reply);
        code = say(store, call, make, &reply);
    }
    /* A server whose memory is full refuses it: another time then. */
    if (code == DRAY_OK && is_string(reply, LAYOUT_BEFORE)) {
        freeReplyObject(reply);
        code = say(store, call, raise, &reply);
        if (code == DRAY_OK && answer_is_error(reply, "OOM")) {
            freeReplyObject(reply);
            return DRAY_OK;
        }
    }
    if (code != DRAY_OK)
        return code;
    struct dray_str found = {reply->str, reply->len};
    if (answer_is_error(reply, "WRONGTYPE"))
        code = store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: the key %s is somebody else's; use another prefix", store->link.where, key);
    else if (answer_is_error(reply, "NOPERM"))
        code = store->host->fail(call, DRAY_DENIED, 0,
            "%s: this user may not GET or SET %s; give it the commands, keys and channels of "
            "docs/deployment.md",
            store->link.where, key);
    else if (reply->type == REDIS_REPLY_ERROR)
        code = answer_error(store, call, reply, "GET");
    else if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL)
        code = answer_strange(store, call, 1);
    else if (reply->type == REDIS_REPLY_STRING && !is(found, LAYOUT) && !is(found, LAYOUT_BEFORE))
        code = store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: the key %s says %s, this Dray writes layout " LAYOUT
            "; update it, or use another prefix",
            store->link.where, key, answer_plain(found, plain));
    freeReplyObject(reply);
    return code;
}

int32_t server_greet(struct store *store, struct dray_call *call)
{
    int32_t code = look_at_server(store, call);
    if (code == DRAY_OK)
        code = end_lost(store, call);
    if (code == DRAY_OK)
        code = check_layout(store, call);
    if (code == DRAY_OK)
        code = script_load(store, call);
    if (code == DRAY_OK)
        code = rights_check(store, call);
    return code;
}

int32_t server_register(struct store *store, struct dray_call *call, struct dray_str queue)
{
    char key[STORE_PREFIX_MAX + 16], name[DRAY_NAME_MAX + 1];
    const char *words[] = {"SADD", key, name, NULL};
    redisReply *reply = NULL;
    int32_t code = check_layout(store, call);
    if (code != DRAY_OK)
        return code;
    snprintf(key, sizeof(key), "{%s}:queues", store->prefix);
    snprintf(name, sizeof(name), "%.*s", (int)queue.len, queue.data);
    code = say(store, call, words, &reply);
    if (code == DRAY_OK && reply->type == REDIS_REPLY_ERROR)
        code = answer_error(store, call, reply, "SADD");
    else if (code == DRAY_OK && reply->type != REDIS_REPLY_INTEGER)
        code = answer_strange(store, call, 1);
    if (reply)
        freeReplyObject(reply);
    return code;
}
