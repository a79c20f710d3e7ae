/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ways ways;

/* ---- the server, as the test sees it ---- */

redisReply *ways_ask(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    redisReply *reply = redisvCommand(ways.own, fmt, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", fmt, reply->str);
    return reply;
}

void ways_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    redisReply *reply = redisvCommand(ways.own, fmt, args);
    va_end(args);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", fmt, reply ? reply->str : ways.own->errstr);
    freeReplyObject(reply);
}

long long ways_number(const char *command)
{
    redisReply *reply = redisCommand(ways.own, command);
    assert_non_null(reply);
    long long n = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                  : reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10)
                                                      : -1;
    freeReplyObject(reply);
    return n;
}

void ways_forget(void)
{
    ways_say("SLOWLOG RESET");
}

void ways_start(void)
{
    server_start(&ways.server, 0);
    assert_int_equal(rig_open(&ways.rig, ways.server.socket, 0), DRAY_OK);
    ways.own = server_talk(&ways.server);
    assert_non_null(ways.own);
    ways_say("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 10000");
    /* The queue is known from here on. */
    assert_int_equal(rig_push(&ways.rig, "first", 0), DRAY_OK);
    assert_int_equal(rig_reserve(&ways.rig, 1, 0, 0), DRAY_OK);
    assert_int_equal(rig_ack(&ways.rig, 0), DRAY_OK);
    /* Whose looks were not plain until now is careful for some more. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(rig_reserve(&ways.rig, 1, 0, 0), DRAY_OK);
    ways_forget();
}

void ways_end(void)
{
    redisFree(ways.own);
    rig_close(&ways.rig);
    server_remove(&ways.server);
}

/* A letter of the way: a append, p plain, t turn, l a script loaded; 0: neither. Append's begins
   with a number; a plan of plain's is an array of 6, of turn's one of 7. */
static char letter_of(const redisReply *words)
{
    if (words->elements >= 3 && strcmp(words->element[0]->str, "SCRIPT") == 0 &&
        strcmp(words->element[1]->str, "LOAD") == 0)
        return 'l';
    if (words->elements < 5 || strcmp(words->element[0]->str, "EVALSHA") != 0)
        return 0;
    unsigned char kind = (unsigned char)words->element[4]->str[0];
    return kind >= '0' && kind <= '9' ? 'a' : kind == 0x96 ? 'p' : kind == 0x97 ? 't' : 0;
}

void ways_expect(const char *what, const char *expected)
{
    char way[32] = "";
    size_t n = 0;
    redisReply *log = ways_ask("SLOWLOG GET -1");
    for (size_t i = log->elements; i > 0; i--) {
        char letter = letter_of(log->element[i - 1]->element[3]);
        if (letter && n + 1 < sizeof(way))
            way[n++] = letter;
    }
    way[n] = 0;
    freeReplyObject(log);
    ways_forget();
    if (strcmp(way, expected) != 0)
        fail_msg("%s: went by \"%s\", not \"%s\"", what, way, expected);
}

/* ---- pushing ---- */

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

struct dray_push *ways_fill(struct batch *b, const char *queue, const char *id, uint32_t n)
{
    assert_true(n <= WAYS_MOST + 1);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(b->ids[i], sizeof(b->ids[i]), "%.54s%u", id, i);
        b->jobs[i] = (struct dray_job){.size = sizeof(b->jobs[i]),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = str(b->ids[i]),
            .queue = str(queue),
            .type = str("t"),
            .payload = str("{\"n\":1}")};
        b->list[i] = &b->jobs[i];
        b->answers[i] = DRAY_OK;
    }
    b->push = (struct dray_push){.size = sizeof(b->push),
        .queue = str(queue),
        .jobs = b->list,
        .answers = b->answers,
        .njobs = n};
    return &b->push;
}

int32_t ways_send(struct batch *b)
{
    b->push.code = DRAY_OK;
    for (uint32_t i = 0; i < b->push.njobs; i++)
        b->answers[i] = DRAY_OK;
    return ways.rig.driver->push(ways.rig.self, rig_call(&ways.rig), &b->push);
}

void ways_push(struct batch *b, const char *what, int32_t code, const char *way)
{
    int32_t got = ways_send(b);
    if (got != code)
        fail_msg("%s: code %d, not %d: %s", what, got, code, ways.rig.error.text);
    ways_expect(what, way);
}

uint32_t ways_drain(char ids[][DRAY_NAME_MAX + 1], uint32_t most)
{
    uint32_t n = 0;
    for (;;) {
        assert_int_equal(rig_reserve(&ways.rig, 32, 0, 0), DRAY_OK);
        if (!ways.rig.nshown)
            break;
        for (uint32_t i = 0; i < ways.rig.nshown; i++, n++) {
            assert_int_equal(ways.rig.shown[i].attempts, 1);
            if (n < most)
                memcpy(ids[n], ways.rig.shown[i].id, DRAY_NAME_MAX + 1);
            assert_int_equal(rig_ack(&ways.rig, i), DRAY_OK);
        }
    }
    ways_forget();
    return n;
}
