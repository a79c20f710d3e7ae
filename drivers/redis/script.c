/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/script.h"

#include "redis/answer.h"
#include "redis/server.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

#define PLAN_MAX ((uint64_t)256 * 1024 * 1024) /* the server takes values of 512 MB */

/* The text of scripts/, made by the build. */
extern const unsigned char redis_script_turn[], redis_script_append[], redis_script_people[],
    redis_script_plain[];
extern const unsigned long redis_script_turn_size, redis_script_append_size,
    redis_script_people_size, redis_script_plain_size;

static const struct {
    const unsigned char *text;
    const unsigned long *size;
} scripts[LINK_SCRIPTS] = {
    [SCRIPT_TURN] = {redis_script_turn, &redis_script_turn_size},
    [SCRIPT_APPEND] = {redis_script_append, &redis_script_append_size},
    [SCRIPT_PEOPLE] = {redis_script_people, &redis_script_people_size},
    [SCRIPT_PLAIN] = {redis_script_plain, &redis_script_plain_size},
};

static int32_t load_one(struct store *store, struct dray_call *call, const unsigned char *text,
    unsigned long size, char *digest)
{
    const char *words[] = {"SCRIPT", "LOAD", (const char *)text};
    size_t lens[] = {6, 4, size};
    struct request request = {3, words, lens, 1};
    redisReply *reply = NULL;
    int32_t code = link_ask(store, call, &request, &reply);
    if (code != DRAY_OK)
        return code;
    if (reply->type == REDIS_REPLY_ERROR)
        code = answer_error(store, call, reply, "SCRIPT");
    else if (reply->type != REDIS_REPLY_STRING || reply->len != LINK_DIGEST)
        code = answer_strange(store, call, 1);
    else
        memcpy(digest, reply->str, LINK_DIGEST + 1);
    freeReplyObject(reply);
    return code;
}

int32_t script_load(struct store *store, struct dray_call *call)
{
    int32_t code = DRAY_OK;
    for (size_t i = 0; i < LINK_SCRIPTS && code == DRAY_OK; i++)
        code = load_one(store, call, scripts[i].text, *scripts[i].size, store->link.scripts[i]);
    return code;
}

void script_begin(struct store *store)
{
    buffer_reset(&store->plan);
    buffer_reset(&store->bulk);
    buffer_reset(&store->lens);
    store->nqueues = 0;
}

void script_added(struct store *store, uint64_t len)
{
    size_t size = (size_t)len;
    buffer_add(&store->lens, &size, sizeof(size));
}

void script_text(struct store *store, struct dray_str text)
{
    buffer_add(&store->bulk, text.data, text.len);
    script_added(store, text.len);
}

uint32_t script_queue(struct store *store, struct dray_str name)
{
    for (uint32_t i = 0; i < store->nqueues; i++) {
        const struct dray_str *known = &store->queues[i];
        if (known->len == name.len && memcmp(known->data, name.data, (size_t)name.len) == 0)
            return i;
    }
    if (store->nqueues < STORE_QUEUES_MAX) {
        store->queues[store->nqueues] = name;
        return store->nqueues++;
    }
    return STORE_QUEUES_MAX;
}

/* ------------------------------------------------------------------------------------------- */
/* Calling                                                                                     */
/* ------------------------------------------------------------------------------------------- */

#define WORDS_BEFORE 3u

static void add_word(struct request *request, const char *word, size_t len)
{
    request->words[request->n] = word;
    request->lens[request->n++] = len;
}

/* Room for so many words. Returns 0 without memory. */
static int make_room(struct store *store, struct request *request, size_t words)
{
    buffer_reset(&store->words);
    char *space = buffer_space(&store->words, words * (sizeof(char *) + sizeof(size_t)));
    request->n = 0;
    request->words = (const char **)(void *)space;
    request->lens = space ? (size_t *)(void *)(space + words * sizeof(char *)) : NULL;
    return space != NULL;
}

/* The keys, each with a zero byte behind it. */
static void add_keys(struct store *store, struct request *request)
{
    size_t prefix = strlen(store->prefix), at = 0;
    for (uint32_t i = 0; i < store->nqueues; i++) {
        const struct dray_str *queue = &store->queues[i];
        size_t len = prefix + (size_t)queue->len + 8;
        char *key = buffer_space(&store->keys, len + 1);
        if (key)
            snprintf(key, len + 1, "{%s:%.*s}:meta", store->prefix, (int)queue->len, queue->data);
    }
    for (uint32_t i = 0; i < store->nqueues && !store->keys.failed; i++) {
        size_t len = prefix + (size_t)store->queues[i].len + 8;
        add_word(request, store->keys.data + at, len);
        at += len + 1;
    }
}

/* The plan, and the texts beside it. */
static void add_texts(const struct store *store, struct request *request)
{
    const char *text = store->bulk.data;
    size_t ntexts = (size_t)store->lens.len / sizeof(size_t);
    if (store->plan.len)
        add_word(request, store->plan.data, store->plan.len);
    if (!ntexts && store->bulk.len)
        add_word(request, text, store->bulk.len);
    for (size_t i = 0; i < ntexts; i++) {
        size_t len;
        memcpy(&len, store->lens.data + i * sizeof(len), sizeof(len));
        add_word(request, text, len);
        text += len;
    }
}

/* The words of a request. Returns 0 without memory. */
static int make_words(struct store *store, const char *digest, char *count, size_t count_size,
    struct request *request)
{
    size_t ntexts = (size_t)store->lens.len / sizeof(size_t);
    buffer_reset(&store->keys);
    if (store->plan.failed || store->bulk.failed || store->lens.failed ||
        !make_room(store, request, WORDS_BEFORE + store->nqueues + 2 + ntexts))
        return 0;
    snprintf(count, count_size, "%u", store->nqueues);
    add_word(request, "EVALSHA", 7);
    add_word(request, digest, LINK_DIGEST);
    add_word(request, count, strlen(count));
    add_keys(store, request);
    add_texts(store, request);
    return !store->keys.failed;
}

static int32_t call_once(
    struct store *store, struct dray_call *call, int which, int reads, redisReply **reply)
{
    struct request request = {.reads = reads};
    char count[16];
    const char *digest = store->link.scripts[which];

    if (!make_words(store, digest, count, sizeof(count), &request))
        return store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where);
    int32_t code = link_ask(store, call, &request, reply);
    if (code != DRAY_OK || !answer_is_error(*reply, "NOSCRIPT"))
        return code;
    freeReplyObject(*reply);
    *reply = NULL;
    code = script_load(store, call);
    return code == DRAY_OK ? link_ask(store, call, &request, reply) : code;
}

int script_said(const redisReply *reply, const char *word, size_t elements)
{
    struct dray_str said;
    return reply && answer_str(reply, 0, &said) && said.len == strlen(word) &&
           memcmp(said.data, word, (size_t)said.len) == 0 && reply->elements >= elements;
}

/* Registers the queues that an answer names by their numbers. */
static int32_t register_queues(struct store *store, struct dray_call *call, const redisReply *list)
{
    int32_t code = DRAY_OK;

    if (!list)
        return answer_strange(store, call, 1);
    for (size_t i = 0; code == DRAY_OK && i < list->elements; i++) {
        int64_t number;
        if (!answer_number(list, i, &number) || number < 0 || number >= store->nqueues)
            code = answer_strange(store, call, 1);
        else
            code = server_register(store, call, store->queues[number]);
    }
    return code;
}

/* A server that was emptied in between knows the queue and not its name, and nobody would register
   it any more. What is done stays done, whatever becomes of this. */
static void register_again(struct store *store, const redisReply *list)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = sizeof(call), .error = &error};
    (void)register_queues(store, &call, list);
}

/* An error in the place of an answer. */
static int32_t refused(
    struct store *store, struct dray_call *call, int reads, const redisReply *reply)
{
    if (answer_is_error(reply, "NOSCRIPT"))
        return store->host->fail(call, DRAY_BUSY, 0,
            "%s: forgets scripts as fast as they are loaded; stop the SCRIPT FLUSH",
            store->link.where);
    int32_t code = answer_error(store, call, reply, "EVALSHA");
    if (reads && code == DRAY_UNKNOWN)
        code = call->error->code = DRAY_IO; /* it had nothing to leave halfway */
    return code;
}

static int32_t call_checked(
    struct store *store, struct dray_call *call, int which, int reads, redisReply **reply)
{
    int32_t code = call_once(store, call, which, reads, reply);
    if (code != DRAY_OK)
        return code;
    if (!*reply)
        return answer_strange(store, call, reads);
    if ((*reply)->type == REDIS_REPLY_ERROR)
        code = refused(store, call, reads, *reply);
    else if (!script_said(*reply, "register", 2) && !script_said(*reply, "turn", 7) &&
             !script_said(*reply, "plain", 4) && !script_said(*reply, "appended", 1) &&
             !script_said(*reply, "careful", 1) && !script_said(*reply, "change", 2) &&
             !script_said(*reply, "stats", 1) && !script_said(*reply, "ids", 3) &&
             !script_said(*reply, "jobs", 3) && !script_said(*reply, "fold", 2) &&
             !script_said(*reply, "cross", 6))
        code = answer_strange(store, call, reads);
    if (code != DRAY_OK) {
        freeReplyObject(*reply);
        *reply = NULL;
    }
    return code;
}

int32_t script_call(struct store *store, struct dray_call *call, int which, int reads,
    uint64_t registered, redisReply **reply)
{
    *reply = NULL;
    if (store->plan.failed || store->bulk.failed || store->lens.failed)
        return store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where);
    if (store->plan.len > PLAN_MAX || store->bulk.len > PLAN_MAX)
        return store->host->fail(call, DRAY_LIMIT, 0,
            "%s: %llu bytes in one call are too many; push fewer jobs at once", store->link.where,
            (unsigned long long)(store->plan.len + store->bulk.len));
    int32_t code = link_ready(store, call);
    if (code == DRAY_OK)
        code = call_checked(store, call, which, reads, reply);
    if (code != DRAY_OK || !script_said(*reply, "register", 2))
        return code;
    redisReply *asked = *reply;
    *reply = NULL;
    code = register_queues(store, call, answer_array(asked, 1));
    if (code == DRAY_OK) {
        store->plan.data[registered] = 1;
        code = call_checked(store, call, which, reads, reply);
    }
    if (code == DRAY_OK && script_said(*reply, "register", 2)) {
        freeReplyObject(*reply);
        *reply = NULL;
        code = answer_strange(store, call, reads);
    }
    if (code == DRAY_OK)
        register_again(store, answer_array(asked, 1));
    freeReplyObject(asked);
    return code;
}
