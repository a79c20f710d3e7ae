/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/answer.h"

#include "redis/link.h"
#include "redis/store.h"

#include <string.h>

/* By the first word of the error, as Redis 7.0 names them (src/server.c, createSharedObjects). */
static const struct {
    const char *word;
    int32_t code;
    int drop; /* the connection is of no more use */
    const char *advice;
} rows[] = {
    {"OOM", DRAY_FULL, 0, "the server's memory is full; raise maxmemory or let workers drain it"},
    {"LOADING", DRAY_BUSY, 1, "the server is still loading its data; wait"},
    {"BUSY", DRAY_BUSY, 0, "the server is busy with a script; wait"},
    {"TRYAGAIN", DRAY_BUSY, 0, "wait"},
    {"NOREPLICAS", DRAY_BUSY, 0, "the server waits for replicas; see min-replicas-to-write"},
    {"READONLY", DRAY_UNREACHABLE, 1, "the server is a replica now; name the master, or sentinels"},
    {"MASTERDOWN", DRAY_UNREACHABLE, 1, "the server is a replica; name the master, or sentinels"},
    {"MISCONF", DRAY_IO, 0, "the server cannot save its data; see its log"},
    {"NOAUTH", DRAY_DENIED, 1, "give a password in the connection"},
    {"WRONGPASS", DRAY_DENIED, 1, "username or password of the connection is wrong"},
    {"DENIED", DRAY_DENIED, 1, "give the server a user with a password"}, /* protected mode */
    {"NOPERM", DRAY_DENIED, 0, "give this user the commands and keys of docs/deployment.md"},
    /* The same to a command of a script, as Redis 7.0 says it (src/script.c). */
    {"ERR The user executing the script", DRAY_DENIED, 0,
        "give this user the commands and keys of docs/deployment.md"},
    {"LAYOUT", DRAY_UNSUPPORTED, 0, "a newer Dray wrote it; update this one"},
    {"MOVED", DRAY_UNSUPPORTED, 0, "a cluster is not supported yet; name a single server"},
    {"ASK", DRAY_UNSUPPORTED, 0, "a cluster is not supported yet; name a single server"},
    {"CLUSTERDOWN", DRAY_UNSUPPORTED, 0, "a cluster is not supported yet; name a single server"},
    {"CROSSSLOT", DRAY_UNSUPPORTED, 0, "a cluster is not supported yet; name a single server"},
    {"WRONGTYPE", DRAY_IO, 0, "a key of this prefix is somebody else's; see docs/redis.md"},
};

/* An answer has at most some thousands of elements; totals have one a type, and names one a queue.
 */
#define ELEMENTS_MAX (1024 * 1024)

#if HIREDIS_MAJOR >= 1
typedef size_t answer_count;
#else
typedef int answer_count;
#endif

static void *make_array(const redisReadTask *task, answer_count n)
{
    const struct answer_bounds *bounds = task->privdata;
    return n > ELEMENTS_MAX ? NULL : bounds->usual->createArray(task, n);
}

void answer_bound(redisContext *context, struct answer_bounds *bounds)
{
    redisReader *reader = context->reader;
    bounds->usual = reader->fn;
    bounds->bounded = *reader->fn;
    bounds->bounded.createArray = make_array;
    reader->fn = &bounds->bounded;
    reader->privdata = bounds;
}

static int begins(struct dray_str text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.data, word, len) == 0 &&
           (text.len == len || text.data[len] == ' ');
}

const char *answer_plain(struct dray_str text, char out[ANSWER_PLAIN])
{
    uint64_t len = text.len < ANSWER_PLAIN ? text.len : ANSWER_PLAIN - 1;
    while (len && (text.data[len - 1] == '.' || text.data[len - 1] == ' '))
        len--;
    for (uint64_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        out[i] = byte < 0x20 || byte == 0x7f ? '?' : text.data[i];
    }
    out[len] = 0;
    return out;
}

int32_t answer_text(struct store *store, struct dray_call *call, struct dray_str text)
{
    const char *where = store->link.where;
    char plain[ANSWER_PLAIN];
    if (begins(text, "DIRTY"))
        return store->host->fail(call, DRAY_UNKNOWN, 0,
            "%s: a script failed halfway: %s; what it had begun is not known", where,
            answer_plain(text, plain));
    if (begins(text, "CLEAN") && text.len > 6)
        text = (struct dray_str){text.data + 6, text.len - 6};
    answer_plain(text, plain);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!begins(text, rows[i].word))
            continue;
        if (rows[i].drop)
            link_drop(store);
        return store->host->fail(call, rows[i].code, 0, "%s: %s: %s", where, plain, rows[i].advice);
    }
    return store->host->fail(call, DRAY_IO, 0, "%s: the server refuses: %s", where, plain);
}

int32_t answer_error(
    struct store *store, struct dray_call *call, const redisReply *reply, const char *what)
{
    struct dray_str text = {reply->str, reply->len};
    char plain[ANSWER_PLAIN];
    /* The server names the command it refuses, but not in every answer to a login. */
    if (strcmp(what, "AUTH") == 0 && !begins(text, "LOADING") && !begins(text, "DENIED"))
        return store->host->fail(call, DRAY_DENIED, 0,
            "%s: refuses the login: %s; check username and password of the connection",
            store->link.where, answer_plain(text, plain));
    if (strcmp(what, "SELECT") == 0 && begins(text, "ERR"))
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: refuses the database: %s; check database of the connection", store->link.where,
            answer_plain(text, plain));
    return answer_text(store, call, text);
}

int32_t answer_strange(struct store *store, struct dray_call *call, int reads)
{
    link_drop(store);
    return store->host->fail(call, reads ? DRAY_UNREACHABLE : DRAY_UNKNOWN, 0,
        "%s: gives an answer that makes no sense; is it Redis 7, and nothing in between?",
        store->link.where);
}

int answer_is_error(const redisReply *reply, const char *word)
{
    return reply && reply->type == REDIS_REPLY_ERROR &&
           begins((struct dray_str){reply->str, reply->len}, word);
}

const redisReply *answer_array(const redisReply *reply, size_t index)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements)
        return NULL;
    const redisReply *element = reply->element[index];
    return element && element->type == REDIS_REPLY_ARRAY ? element : NULL;
}

int answer_str(const redisReply *reply, size_t index, struct dray_str *text)
{
    *text = (struct dray_str){NULL, 0};
    if (!reply || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements)
        return 0;
    const redisReply *element = reply->element[index];
    if (!element || element->type != REDIS_REPLY_STRING)
        return 0;
    *text = (struct dray_str){element->str, element->len};
    return 1;
}

int answer_number(const redisReply *reply, size_t index, int64_t *number)
{
    *number = 0;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements)
        return 0;
    const redisReply *element = reply->element[index];
    if (!element || element->type != REDIS_REPLY_INTEGER)
        return 0;
    *number = element->integer;
    return 1;
}
