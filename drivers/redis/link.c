/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/link.h"

#include "redis/answer.h"
#include "redis/sentinel.h"
#include "redis/server.h"
#include "redis/store.h"
#include "redis/wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define WORDS_MAX 8
#define PORT 6379
#define CONNECT_MS 2000  /* at most, unless the connection's timeout says otherwise */
#define FAILOVER_MS 1000 /* the same where another server may take over meanwhile */

/* The next try is at most so late, so that a server that is back is used again within 2 s. */
#define BACKOFF_FIRST_MS 25 /* doubled with each failure, up to */
#define BACKOFF_MOST_MS 250

static const char *text_of(const struct store *store, const char *option)
{
    const char *text = store->host->text(store->host, option, 0);
    return text && text[0] ? text : NULL;
}

int32_t link_init(struct store *store, struct dray_call *call)
{
    const char *path = text_of(store, "connection.path");
    const char *host = text_of(store, "connection.host");
    int64_t port = store->host->number(store->host, "connection.port");
    struct link *link = &store->link;
    struct place *place = &link->place;

    snprintf(place->host, sizeof(place->host), "%s", path ? path : host ? host : "127.0.0.1");
    place->port = path ? 0 : port ? (int)port : PORT;
    if (path)
        snprintf(link->where, sizeof(link->where), "redis at %s", place->host);
    else
        snprintf(link->where, sizeof(link->where), "redis at %s:%d", place->host, place->port);
    sentinel_init(store);
    if (store->host->number(store->host, "connection.tls"))
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: TLS is not supported yet; use redis:// or unix://, through a tunnel where the "
            "network is not trusted",
            link->where);
    if (path && strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return store->host->fail(
            call, DRAY_CONFIG, 0, "%s: the path of a socket may not be so long", link->where);
    return DRAY_OK;
}

void link_begin(struct store *store, struct dray_call *call)
{
    int64_t timeout = store->host->number(store->host, "connection.timeout");
    int64_t budget = call->budget_ms;
    if (timeout > 0 && timeout < budget)
        budget = timeout;
    store->link.deadline_ms = store_clock_ms() + budget;
}

int link_again(struct store *store, struct dray_call *call, int64_t end_ms)
{
    if (store_clock_ms() >= end_ms)
        return 0;
    link_begin(store, call);
    return 1;
}

void link_drop(struct store *store)
{
    struct link *link = &store->link;
    if (link->context)
        redisFree(link->context);
    link->context = NULL;
}

void link_close(struct store *store)
{
    sentinel_close(store);
    link_drop(store);
}

/* ------------------------------------------------------------------------------------------- */
/* Connecting                                                                                  */
/* ------------------------------------------------------------------------------------------- */

int64_t link_hurry(struct store *store, int64_t most_ms)
{
    struct link *link = &store->link;
    int64_t before = link->deadline_ms, until = store_clock_ms() + most_ms;
    if (until < link->deadline_ms)
        link->deadline_ms = until;
    return before;
}

static int32_t cannot_connect(
    struct store *store, struct dray_call *call, int sys, const char *reason)
{
    return store->host->fail(call, sys == EACCES ? DRAY_DENIED : DRAY_UNREACHABLE, sys,
        "%s: cannot connect: %s; is the server running, and is `connections` right?",
        store->link.where, reason);
}

/* Finds the address for the name of the place. */
static int32_t locate(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    link->at = link->place;
    if (!link->place.port)
        return DRAY_OK;
    int result =
        lookup_address(&store->lookups, link->place.host, link->at.host, link->deadline_ms);
    return result ? cannot_connect(store, call, 0, lookup_reason(result)) : DRAY_OK;
}

/* A bare connection, or NULL with the error filled in. The only place that connects to a server. */
static redisContext *dial(struct store *store, struct dray_call *call, struct answer_bounds *bounds)
{
    struct link *link = &store->link;
    const struct place *place = &link->at;
    redisContext *fresh = place->port ? redisConnectNonBlock(place->host, place->port)
                                      : redisConnectUnixNonBlock(place->host);
    if (!fresh) {
        store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: no memory", link->where);
        return NULL;
    }
    int sys = fresh->err == REDIS_ERR_IO ? errno : 0;
    if (!fresh->err)
        sys = wait_connected(fresh, sentinel_news(store), link->deadline_ms);
    /* So that a subscription hears when the other side has vanished without a word. */
    if (!fresh->err && !sys && place->port && redisEnableKeepAlive(fresh) != REDIS_OK)
        sys = errno;
    if (!fresh->err && !sys) {
        answer_bound(fresh, bounds);
        return fresh;
    }
    cannot_connect(store, call, sys, fresh->err ? fresh->errstr : strerror(sys));
    redisFree(fresh);
    return NULL;
}

/* One step of the handshake: DRAY_OK unless the server refuses it. */
static int32_t step(
    struct store *store, struct dray_call *call, redisContext *context, const char *const *words)
{
    redisReply *reply = NULL;
    int32_t code = link_say(store, call, context, words, &reply);
    if (code != DRAY_OK)
        return code;
    if (reply && reply->type == REDIS_REPLY_ERROR)
        code = answer_error(store, call, reply, words[0]);
    else if (!reply || reply->type != REDIS_REPLY_STATUS)
        code = answer_strange(store, call, 1);
    freeReplyObject(reply);
    return code;
}

static int32_t log_in(struct store *store, struct dray_call *call, redisContext *context)
{
    const char *user = text_of(store, "connection.username");
    const char *password = text_of(store, "connection.password");
    const char *database = text_of(store, "connection.database");
    const char *with_user[] = {"AUTH", user, password, NULL};
    const char *without[] = {"AUTH", password, NULL};
    const char *select[] = {"SELECT", database, NULL};
    int32_t code = DRAY_OK;
    if (password)
        code = step(store, call, context, user ? with_user : without);
    if (code == DRAY_OK && database && strcmp(database, "0") != 0)
        code = step(store, call, context, select);
    return code;
}

int32_t link_connect(struct store *store, struct dray_call *call, redisContext **context,
    struct answer_bounds *bounds)
{
    redisContext *fresh = dial(store, call, bounds);
    if (!fresh)
        return call->error->code;
    int32_t code = log_in(store, call, fresh);
    if (code == DRAY_OK)
        *context = fresh;
    else
        redisFree(fresh);
    return code;
}

/* A pause that doubles, with a fifth of it at random so that clients do not come all at once. */
static void put_off(struct store *store)
{
    struct link *link = &store->link;
    uint32_t shift = link->failures < 6 ? link->failures : 6;
    int64_t pause = (int64_t)BACKOFF_FIRST_MS << shift;
    unsigned char dice = 0;
    if (pause > BACKOFF_MOST_MS)
        pause = BACKOFF_MOST_MS;
    if (store->host->random(store->host, &dice, 1) == DRAY_OK)
        pause -= pause * dice / 1280;
    link->failures++;
    link->retry_ms = store_clock_ms() + pause;
}

/* Finds the server, connects, and looks whether it is fit for use. */
static int32_t make(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    int by_name = store->sentinel.n > 0;
    int32_t code = by_name ? sentinel_find(store, call) : DRAY_OK;
    if (code != DRAY_OK)
        return code;
    int64_t timeout = store->host->number(store->host, "connection.timeout");
    int64_t deadline = link_hurry(store, timeout > 0 ? timeout
                                         : by_name   ? FAILOVER_MS
                                                     : CONNECT_MS);
    code = locate(store, call);
    if (code == DRAY_OK)
        code = link_connect(store, call, &link->context, &link->bounds);
    if (code == DRAY_OK)
        code = server_greet(store, call);
    link->deadline_ms = deadline;
    return code;
}

static int32_t reconnect(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    int32_t code = make(store, call);
    if (code == DRAY_OK) {
        link->failures = 0;
        link->greeted = 1;
        return DRAY_OK;
    }
    link_drop(store);
    put_off(store);
    /* Whatever the handshake met, the request itself has not left. And a server that was fit for
       use may be so again, or make room for another one: no outcome is given up for what it is at
       the moment. */
    if (code >= DRAY_UNKNOWN ||
        (link->greeted && (code == DRAY_UNSUPPORTED || code == DRAY_CONFIG)))
        code = DRAY_UNREACHABLE;
    call->error->code = code;
    snprintf(link->last, sizeof(link->last), "%.399s", call->error->text);
    return code;
}

int32_t link_ready(struct store *store, struct dray_call *call)
{
    struct link *link = &store->link;
    if (link->context && (wait_is_dead(link->context) || sentinel_moved(store)))
        link_drop(store);
    if (link->context)
        return DRAY_OK;
    int64_t pause = link->failures ? link->retry_ms - store_clock_ms() : 0;
    if (pause > 0)
        return store->host->fail(call, DRAY_UNREACHABLE, 0, "%s", link->last);
    return reconnect(store, call);
}

/* ------------------------------------------------------------------------------------------- */
/* Asking                                                                                      */
/* ------------------------------------------------------------------------------------------- */

static int32_t no_answer(struct store *store, struct dray_call *call, int result, int reads)
{
    const char *where = store->link.where;
    if (result == WAIT_UNSENT)
        return store->host->fail(
            call, DRAY_UNREACHABLE, 0, "%s: the connection was lost; it is made again", where);
    if (result == WAIT_STRANGE)
        return answer_strange(store, call, reads);
    const char *what = result == WAIT_TIME ? "no answer in time" : "the connection broke";
    if (reads)
        return store->host->fail(call, result == WAIT_TIME ? DRAY_BUSY : DRAY_UNREACHABLE, 0,
            "%s: %s; it is tried again with the next call", where, what);
    return store->host->fail(call, DRAY_UNKNOWN, 0,
        "%s: %s; whether the request was carried out is not known, ask again with the same ids",
        where, what);
}

static int32_t ask(struct store *store, struct dray_call *call, redisContext *context,
    const struct request *request, redisReply **reply)
{
    char *data = NULL;
    *reply = NULL;
    long long len = redisFormatCommandArgv(&data, request->n, request->words, request->lens);
    if (len < 0)
        return store->host->fail(call, DRAY_NOMEM, 0, "%s: no memory", store->link.where);
    int result = wait_answer(
        context, data, (size_t)len, sentinel_news(store), store->link.deadline_ms, reply);
    redisFreeCommand(data);
    return result == WAIT_OK ? DRAY_OK : no_answer(store, call, result, request->reads);
}

int32_t link_ask(
    struct store *store, struct dray_call *call, const struct request *request, redisReply **reply)
{
    struct link *link = &store->link;
    int32_t code = ask(store, call, link->context, request, reply);
    if (code != DRAY_OK) {
        if (code == DRAY_UNKNOWN)
            link->lost_id = link->own_id;
        link_drop(store);
    }
    return code;
}

int32_t link_say(struct store *store, struct dray_call *call, redisContext *context,
    const char *const *words, redisReply **reply)
{
    const char *list[WORDS_MAX];
    size_t lens[WORDS_MAX];
    struct request request = {.words = list, .lens = lens, .reads = 1};
    for (; request.n < WORDS_MAX && words[request.n]; request.n++) {
        list[request.n] = words[request.n];
        lens[request.n] = strlen(words[request.n]);
    }
    return ask(store, call, context, &request, reply);
}
