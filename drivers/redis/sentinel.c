/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/sentinel.h"

#include "redis/answer.h"
#include "redis/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define PORT 26379
#define ASK_MS 500 /* for one sentinel, while there is no server to go on with */

/* Word of a switch may be missed, so the sentinel is also asked in so long intervals. */
#define CHECK_MS 1000

/* So long a call waits for an answer that comes at once, from a sentinel that hangs but once. */
#define PATIENCE_MS 50

/* The server answers, no sentinel does: they are dialled again after so long. */
#define RETRY_MS 1000

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

/* ------------------------------------------------------------------------------------------- */
/* What sentinels say                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* The reason of an error reply, or of one that makes no sense. */
static int32_t refused(struct store *store, struct dray_call *call, const redisReply *reply)
{
    static const char *const denials[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH"};
    const char *where = store->sentinel.where;
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

static int read_place(struct dray_str host, struct dray_str port, struct place *place)
{
    char digits[8];
    if (!is_host(host) || host.len >= sizeof(place->host) || port.len >= sizeof(digits))
        return 0;
    snprintf(digits, sizeof(digits), "%.*s", (int)port.len, port.data);
    if (!port_of(digits))
        return 0;
    memcpy(place->host, host.data, (size_t)host.len);
    place->host[host.len] = 0;
    place->port = port_of(digits);
    return 1;
}

static int32_t read_address(
    struct store *store, struct dray_call *call, const redisReply *reply, struct place *place)
{
    struct dray_str host, port;
    if (reply->type == REDIS_REPLY_NIL)
        return store->host->fail(call, DRAY_CONFIG, 0,
            "%s: knows no master \"%.100s\"; check `master`", store->sentinel.where,
            text_of(store, "connection.master", 0));
    if (!answer_str(reply, 0, &host) || !answer_str(reply, 1, &port) ||
        !read_place(host, port, place))
        return refused(store, call, reply);
    return DRAY_OK;
}

/* The next word of a text whose words stand apart by a blank. */
static struct dray_str next_word(struct dray_str *text)
{
    struct dray_str word = *text;
    const char *blank = text->len ? memchr(text->data, ' ', (size_t)text->len) : NULL;
    word.len = blank ? (uint64_t)(blank - text->data) : text->len;
    text->data += blank ? word.len + 1 : word.len;
    text->len -= blank ? word.len + 1 : word.len;
    return word;
}

/* Nonzero for "NAME OLD-HOST OLD-PORT HOST PORT" of our master, as the page on sentinels gives it
   (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/). */
static int read_switch(const struct store *store, const redisReply *reply, struct place *place)
{
    const char *name = text_of(store, "connection.master", 0);
    struct dray_str text, words[5];
    if (!answer_str(reply, 2, &text))
        return 0;
    for (size_t i = 0; i < 5; i++)
        words[i] = next_word(&text);
    return words[0].len == strlen(name) && memcmp(words[0].data, name, words[0].len) == 0 &&
           read_place(words[3], words[4], place);
}

/* ------------------------------------------------------------------------------------------- */
/* Speaking to one, a step at a time                                                           */
/* ------------------------------------------------------------------------------------------- */

static void await(struct sentinel *sentinel)
{
    sentinel->until_ms = store_clock_ms() + ASK_MS;
}

static int32_t broken(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    int sys = errno;
    if (!sentinel->subscribed)
        return store->host->fail(call, DRAY_UNREACHABLE, sys,
            "%s: cannot connect: %s; is the sentinel running? Check `sentinels`", sentinel->where,
            strerror(sys));
    return store->host->fail(call, DRAY_UNREACHABLE, sys, "%s: the connection broke: %s",
        sentinel->where, strerror(sys));
}

/* Closing alone would leave a descriptor that somebody has a copy of, such as a child of fork,
   among those that wake the worker: for ever, and beyond its number's next use. */
static void close_line(struct store *store, struct line *line)
{
    if (line->context)
        bell_remove(store, line->context->fd);
    line_close(line);
}

static void hang_up(struct store *store)
{
    struct sentinel *sentinel = &store->sentinel;
    close_line(store, &sentinel->ear);
    close_line(store, &sentinel->asking);
    sentinel->subscribed = 0;
    sentinel->stale = 0;
    sentinel->until_ms = 0;
}

/* While the server answers nobody waits long for a name server, and not again and again. */
static int64_t patience(const struct store *store)
{
    const struct link *link = &store->link;
    int64_t most = !link->context ? ASK_MS : store->sentinel.warned ? 0 : PATIENCE_MS;
    int64_t until = store_clock_ms() + most;
    return until < link->deadline_ms ? until : link->deadline_ms;
}

static int32_t dial(struct store *store, struct dray_call *call, struct line *line)
{
    struct sentinel *sentinel = &store->sentinel;
    const char *host = text_of(store, "connection.sentinels", 2 * sentinel->at);
    const char *port = text_of(store, "connection.sentinels", 2 * sentinel->at + 1);
    struct place place = {.port = port && port[0] ? port_of(port) : PORT};
    const char *reason = NULL;
    snprintf(sentinel->where, sizeof(sentinel->where), "sentinel at %s:%d", host, place.port);
    int result = lookup_address(&store->lookups, host, place.host, patience(store));
    if (result)
        reason = lookup_reason(result);
    else if (line_dial(line, &place) != 0)
        reason = line->context ? line->context->errstr : strerror(ENOMEM);
    if (reason)
        return store->host->fail(call, DRAY_UNREACHABLE, 0,
            "%s: cannot connect: %s; is the sentinel running? Check `sentinels`", sentinel->where,
            reason);
    await(sentinel);
    sentinel_ring(store);
    return DRAY_OK;
}

static int log_in(struct store *store, struct line *line)
{
    const char *user = text_of(store, "connection.sentinel_username", 0);
    const char *password = text_of(store, "connection.sentinel_password", 0);
    const char *with_user[] = {"AUTH", user, password};
    const char *without[] = {"AUTH", password};
    if (!password || !password[0])
        return 0;
    line->logging_in = 1;
    return user && user[0] ? line_say(line, 3, with_user) : line_say(line, 2, without);
}

static int subscribe(struct store *store)
{
    const char *words[] = {"SUBSCRIBE", "+switch-master"};
    return line_say(&store->sentinel.ear, 2, words);
}

static int question(struct store *store)
{
    const char *name = text_of(store, "connection.master", 0);
    const char *words[] = {"SENTINEL", "get-master-addr-by-name", name};
    return line_say(&store->sentinel.asking, 3, words);
}

static int32_t greet(struct store *store, struct dray_call *call, struct line *line)
{
    sentinel_ring(store);
    await(&store->sentinel);
    int asks = line == &store->sentinel.asking;
    if (log_in(store, line) != 0 || (asks ? question(store) : subscribe(store)) != 0)
        return broken(store, call);
    return DRAY_OK;
}

/* What the ear hears: that it has subscribed, and switches. */
static int32_t hear(struct store *store, struct dray_call *call, const redisReply *reply)
{
    struct sentinel *sentinel = &store->sentinel;
    if (reply->type != REDIS_REPLY_ARRAY)
        return refused(store, call, reply);
    if (!sentinel->subscribed) {
        sentinel->subscribed = 1;
        return dial(store, call, &sentinel->asking);
    }
    if (read_switch(store, reply, &sentinel->place)) {
        sentinel->told = 1;
        sentinel->stale = sentinel->until_ms != 0;
    }
    return DRAY_OK;
}

static int32_t learn(struct store *store, struct dray_call *call, const redisReply *reply)
{
    struct sentinel *sentinel = &store->sentinel;
    struct place place;
    int32_t code = read_address(store, call, reply, &place);
    if (code != DRAY_OK)
        return code;
    if (!sentinel->stale) {
        sentinel->place = place;
        sentinel->told = 1;
    }
    sentinel->stale = 0;
    sentinel->until_ms = 0;
    sentinel->check_ms = store_clock_ms() + CHECK_MS;
    sentinel->failures = 0;
    if (sentinel->warned)
        store->host->log(
            store->host, DRAY_LOG_INFO, "%s: the sentinels answer again", store->link.where);
    sentinel->warned = 0;
    return DRAY_OK;
}

static int32_t take(
    struct store *store, struct dray_call *call, struct line *line, const redisReply *reply)
{
    if (line->logging_in) {
        line->logging_in = 0;
        return reply->type == REDIS_REPLY_STATUS ? DRAY_OK : refused(store, call, reply);
    }
    return line == &store->sentinel.ear ? hear(store, call, reply) : learn(store, call, reply);
}

static int32_t step_line(struct store *store, struct dray_call *call, struct line *line)
{
    redisReply *reply = NULL;
    int32_t code = DRAY_OK;
    while (code == DRAY_OK) {
        switch (line_step(line, &reply)) {
        case LINE_STANDS:
            code = greet(store, call, line);
            break;
        case LINE_ANSWER:
            code = take(store, call, line, reply);
            freeReplyObject(reply);
            break;
        case LINE_BROKEN:
            return broken(store, call);
        default:
            return DRAY_OK;
        }
    }
    return code;
}

/* Takes what has come. An error: this sentinel is given up, the next one is the one to dial. */
static int32_t step(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    int32_t code = step_line(store, call, &sentinel->asking);
    if (code == DRAY_OK)
        code = step_line(store, call, &sentinel->ear);
    if (code == DRAY_OK && sentinel->until_ms && store_clock_ms() >= sentinel->until_ms)
        code =
            store->host->fail(call, DRAY_UNREACHABLE, 0, "%s: no answer in time", sentinel->where);
    return code;
}

static int32_t ask(struct store *store, struct dray_call *call)
{
    await(&store->sentinel);
    return question(store) == 0 ? DRAY_OK : broken(store, call);
}

static void go_to_next(struct store *store)
{
    struct sentinel *sentinel = &store->sentinel;
    hang_up(store);
    sentinel->at = (sentinel->at + 1) % sentinel->n;
    sentinel->failures++;
}

/* ------------------------------------------------------------------------------------------- */
/* Finding the master, while there is none                                                     */
/* ------------------------------------------------------------------------------------------- */

static int32_t give_up(
    struct store *store, struct dray_call *call, int32_t code, const char *reason)
{
    name_master(store);
    return store->host->fail(call, is_lasting(code) ? code : DRAY_UNREACHABLE, 0,
        "%s: no sentinel of %u says where it is: %.350s", store->link.where, store->sentinel.n,
        reason);
}

/* Asks the one that it is at and waits for the answer. */
static int32_t consult(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    int64_t deadline = store_clock_ms() + ASK_MS;
    int32_t code = DRAY_OK;
    if (store->link.deadline_ms < deadline)
        deadline = store->link.deadline_ms;
    if (!sentinel->ear.context)
        code = dial(store, call, &sentinel->ear);
    else if (!sentinel->until_ms)
        code = ask(store, call);
    while (code == DRAY_OK && !sentinel->told) {
        lines_wait(&sentinel->ear, &sentinel->asking, deadline);
        code = step(store, call);
        /* The answer to a question of before the switch was no answer. */
        if (code == DRAY_OK && !sentinel->told && !sentinel->until_ms && sentinel->asking.context)
            code = ask(store, call);
        if (code == DRAY_OK && !sentinel->told && store_clock_ms() >= deadline)
            code = store->host->fail(
                call, DRAY_UNREACHABLE, 0, "%s: no answer in time", sentinel->where);
    }
    return code;
}

static int32_t arrive(struct store *store)
{
    struct link *link = &store->link;
    store->sentinel.told = 0;
    link->place = store->sentinel.place;
    snprintf(link->where, sizeof(link->where), "redis at %s:%d (master %.40s)", link->place.host,
        link->place.port, text_of(store, "connection.master", 0));
    return DRAY_OK;
}

int32_t sentinel_find(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    char reason[sizeof(call->error->text)] = "no time was left to ask";
    int32_t worst = DRAY_OK;
    if (sentinel->told)
        return arrive(store);
    for (uint32_t i = 0; i < sentinel->n && store_clock_ms() < store->link.deadline_ms; i++) {
        int32_t code = consult(store, call);
        if (code == DRAY_OK)
            return arrive(store);
        go_to_next(store);
        /* What will stay so tells more than that another one is away. */
        if (!is_lasting(worst)) {
            worst = code;
            snprintf(reason, sizeof(reason), "%s", call->error->text);
        }
    }
    return give_up(store, call, worst, reason);
}

/* ------------------------------------------------------------------------------------------- */
/* Hearing of another one, while the server answers                                            */
/* ------------------------------------------------------------------------------------------- */

/* Goes on for one call. */
static int32_t go_on(struct store *store, struct dray_call *call)
{
    struct sentinel *sentinel = &store->sentinel;
    int32_t code = DRAY_OK;
    if (!sentinel->ear.context)
        return dial(store, call, &sentinel->ear);
    if (!sentinel->until_ms && store_clock_ms() >= sentinel->check_ms) {
        code = ask(store, call);
        if (code == DRAY_OK)
            lines_wait(&sentinel->ear, &sentinel->asking, store_clock_ms() + PATIENCE_MS);
    }
    return code == DRAY_OK ? step(store, call) : code;
}

/* The server answers, so that is no reason to leave it. */
static void bear(struct store *store, const struct dray_error *error)
{
    struct sentinel *sentinel = &store->sentinel;
    go_to_next(store);
    if (sentinel->failures < sentinel->n)
        return;
    sentinel->failures = 0;
    sentinel->retry_ms = store_clock_ms() + RETRY_MS;
    if (!sentinel->warned)
        store->host->log(store->host, DRAY_LOG_WARN,
            "%s: no sentinel of %u answers, so that another master would be noticed late: %s",
            store->link.where, sentinel->n, error->text);
    sentinel->warned = 1;
}

/* Nonzero if there is nothing to hear, to say or to give up. */
static int is_quiet(const struct sentinel *sentinel)
{
    int64_t now = store_clock_ms();
    if (!sentinel->ear.context)
        return now < sentinel->retry_ms;
    int64_t due = sentinel->until_ms ? sentinel->until_ms : sentinel->check_ms;
    return now < due && !lines_have_news(&sentinel->ear, &sentinel->asking);
}

int sentinel_moved(struct store *store)
{
    struct sentinel *sentinel = &store->sentinel;
    const struct place *before = &store->link.place;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_call call = {.size = sizeof(call), .error = &error};
    if (!sentinel->n || is_quiet(sentinel))
        return 0;
    if (go_on(store, &call) != DRAY_OK)
        bear(store, &error);
    if (!sentinel->told)
        return 0;
    int moved =
        sentinel->place.port != before->port || strcmp(sentinel->place.host, before->host) != 0;
    sentinel->told = moved;
    return moved;
}

int sentinel_news(const struct store *store)
{
    const struct sentinel *sentinel = &store->sentinel;
    return sentinel->subscribed ? sentinel->ear.context->fd : -1;
}

static void ring(struct store *store, const struct line *line)
{
    if (line->context)
        bell_add(store, line->context->fd, line->dialled ? EPOLLOUT : EPOLLIN);
}

void sentinel_ring(struct store *store)
{
    ring(store, &store->sentinel.ear);
    ring(store, &store->sentinel.asking);
}

void sentinel_close(struct store *store)
{
    hang_up(store);
}
