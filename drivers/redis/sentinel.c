/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/sentinel.h"

#include "redis/answer.h"
#include "redis/store.h"
#include "redis/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 500 /* connecting, logging in and the answer of one sentinel */
#define PORT 26379

/* Word of a switch may be missed, so the sentinel is also asked in so long intervals. */
#define CHECK_MS 1000

/* The server answers, no sentinel does: they are asked again after so long, doubled each time. */
#define RETRY_FIRST_MS 1000
#define RETRY_SHIFT_MAX 4u

static const char *text_of(const struct store *store, const char *option, uint32_t index)
{
    return store->host->text(store->host, option, index);
}

static int port_of(const char *text)
{
    long port = strtol(text, NULL, 10);
    return port > 0 && port <= 65535 ? (int)port : 0;
}

static void name_master(struct store *store)
{
    snprintf(store->link.where, sizeof(store->link.where), "redis master %.100s",
        text_of(store, "connection.master", 0));
}

void sentinel_init(struct store *store)
{
    struct sentinel *sentinel = &store->sentinel;
    while (text_of(store, "connection.sentinels", 2 * sentinel->n))
        sentinel->n++;
    if (sentinel->n)
        name_master(store);
}

/* Nonzero for an error that a sentinel gives again and again. */
static int is_lasting(int32_t code)
{
    return code == DRAY_CONFIG || code == DRAY_DENIED;
}

/* The reason of an error reply, or of one that makes no sense. */
static int32_t refused(struct store *store, struct dray_call *call, const redisReply *reply)
{
    static const char *const denials[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH"};
    const char *where = store->link.where;
    if (reply->type != REDIS_REPLY_ERROR)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: gives an answer that makes no sense; is that a sentinel? Check `sentinels`",
            where);
    char plain[ANSWER_PLAIN];
    const char *text = answer_plain((struct dray_str){reply->str, reply->len}, plain);
    for (size_t i = 0; i < sizeof(denials) / sizeof(denials[0]); i++) {
        if (strncmp(reply->str, denials[i], strlen(denials[i])) == 0)
            return store->host->fail(call, DRAY_DENIED, 0,
                "%s: %s; check sentinel_username and sentinel_password", where, text);
    }
    return store->host->fail(
        call, DRAY_CONFIG, 0, "%s: %s; is that a sentinel? Check `sentinels`", where, text);
}

static int32_t log_in(struct store *store, struct dray_call *call, redisContext *context)
{
    const char *user = text_of(store, "connection.sentinel_username", 0);
    const char *password = text_of(store, "connection.sentinel_password", 0);
    const char *with_user[] = {"AUTH", user, password, NULL};
    const char *without[] = {"AUTH", password, NULL};
    redisReply *reply = NULL;
    if (!password || !password[0])
        return DRAY_OK;
    int32_t code = link_say(store, call, context, user && user[0] ? with_user : without, &reply);
    if (code == DRAY_OK && reply->type != REDIS_REPLY_STATUS)
        code = refused(store, call, reply);
    if (reply)
        freeReplyObject(reply);
    return code;
}

/* A host by name or number, and nothing that would look odd in a message. */
static int is_host(struct dray_str text)
{
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:%-";
    for (uint64_t i = 0; i < text.len; i++) {
        if (!text.data[i] || !strchr(fit, text.data[i]))
            return 0;
    }
    return text.len > 0;
}

static int32_t read_address(
    struct store *store, struct dray_call *call, const redisReply *reply, struct place *place)
{
    struct dray_str host, port;
    if (reply->type == REDIS_REPLY_NIL)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: knows no master \"%.100s\"; check `master`", store->link.where,
            text_of(store, "connection.master", 0));
    if (!answer_str(reply, 0, &host) || !answer_str(reply, 1, &port) || !is_host(host) ||
        host.len >= sizeof(place->host) || !port_of(port.data))
        return refused(store, call, reply);
    memcpy(place->host, host.data, (size_t)host.len);
    place->host[host.len] = 0;
    place->port = port_of(port.data);
    return DRAY_OK;
}

/* The address, and from then on word of each switch: both are asked for at once, so that none falls
   in between. */
static int32_t ask_and_hear(
    struct store *store, struct dray_call *call, redisContext *context, struct place *master)
{
    const char *name = text_of(store, "connection.master", 0);
    char data[640];
    redisReply *reply = NULL;
    int len = snprintf(data, sizeof(data),
        "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$%zu\r\n%s\r\n"
        "*2\r\n$9\r\nSUBSCRIBE\r\n$14\r\n+switch-master\r\n",
        strlen(name), name);
    if (len < 0 || (size_t)len >= sizeof(data))
        return store->host->fail(
            call, DRAY_CONFIG, 0, "%s: the name `master` is too long", store->link.where);
    int32_t code = link_talk(store, call, context, data, (size_t)len, &reply);
    if (code != DRAY_OK)
        return code;
    code = read_address(store, call, reply, master);
    freeReplyObject(reply);
    if (code != DRAY_OK)
        return code;
    code = link_talk(store, call, context, NULL, 0, &reply);
    if (code == DRAY_OK && reply->type != REDIS_REPLY_ARRAY)
        code = refused(store, call, reply);
    if (reply)
        freeReplyObject(reply);
    return code;
}

static int32_t ask(struct store *store, struct dray_call *call, uint32_t which)
{
    const char *host = text_of(store, "connection.sentinels", 2 * which);
    const char *port = text_of(store, "connection.sentinels", 2 * which + 1);
    struct place place = {.port = port && port[0] ? port_of(port) : PORT};
    snprintf(place.host, sizeof(place.host), "%s", host);
    snprintf(
        store->link.where, sizeof(store->link.where), "sentinel at %s:%d", place.host, place.port);
    redisContext *context = link_dial(store, call, &place, &store->sentinel.bounds);
    if (!context)
        return call->error->code;
    int32_t code = log_in(store, call, context);
    if (code == DRAY_OK)
        code = ask_and_hear(store, call, context, &place);
    if (code != DRAY_OK) {
        redisFree(context);
        return code;
    }
    store->link.place = place;
    store->sentinel.context = context;
    store->sentinel.first = which;
    store->sentinel.check_ms = store_clock_ms() + CHECK_MS;
    store->sentinel.failures = 0;
    store->sentinel.retry_ms = 0;
    bell_add(store, context->fd);
    return DRAY_OK;
}

static int32_t give_up(
    struct store *store, struct dray_call *call, int32_t code, const char *reason)
{
    name_master(store);
    return store->host->fail(call, is_lasting(code) ? code : DRAY_UNREACHABLE, 0,
        "%s: no sentinel of %u says where it is: %.350s", store->link.where, store->sentinel.n,
        reason);
}

int sentinel_news(const struct store *store)
{
    return store->sentinel.context ? store->sentinel.context->fd : -1;
}

void sentinel_close(struct store *store)
{
    if (store->sentinel.context)
        redisFree(store->sentinel.context);
    store->sentinel.context = NULL;
}

int32_t sentinel_find(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    char reason[sizeof(call->error->text)] = "no time was left to ask";
    int32_t worst = DRAY_OK;
    uint32_t n = store->sentinel.n, first = store->sentinel.first;
    sentinel_close(store);
    for (uint32_t i = 0; i < n && store_clock_ms() < link->deadline_ms; i++) {
        int64_t deadline = link_hurry(store, ASK_MS);
        int32_t code = ask(store, call, (first + i) % n);
        link->deadline_ms = deadline;
        if (code == DRAY_OK) {
            snprintf(link->where, sizeof(link->where), "redis at %s:%d (master %.40s)",
                link->place.host, link->place.port, text_of(store, "connection.master", 0));
            return DRAY_OK;
        }
        /* What will stay so tells more than that another one is away. */
        if (!is_lasting(worst)) {
            worst = code;
            snprintf(reason, sizeof(reason), "%s", call->error->text);
        }
    }
    return give_up(store, call, worst, reason);
}

static int is_quiet(const struct sentinel *sentinel)
{
    return sentinel->context && !wait_is_dead(sentinel->context) &&
           store_clock_ms() < sentinel->check_ms;
}

int sentinel_moved(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    struct link *link = &store->link;
    if (!sentinel->n || is_quiet(sentinel) || store_clock_ms() < sentinel->retry_ms)
        return 0;
    struct place before = link->place;
    char where[sizeof(link->where)];
    memcpy(where, link->where, sizeof(where));
    if (sentinel_find(store, call) == DRAY_OK)
        return link->place.port != before.port || strcmp(link->place.host, before.host) != 0;
    /* The server answers, so that is no reason to leave it. */
    uint32_t shift = sentinel->failures < RETRY_SHIFT_MAX ? sentinel->failures++ : RETRY_SHIFT_MAX;
    sentinel->retry_ms = store_clock_ms() + ((int64_t)RETRY_FIRST_MS << shift);
    memcpy(link->where, where, sizeof(where));
    return 0;
}
