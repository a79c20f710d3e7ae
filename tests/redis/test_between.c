/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody does to the server between any two requests of an opening and a first job: the
 * store comes up and works, or says in one line why not, and is well with the next try.
 */
#include "redis/redis_server.h"
#include "redis/rig.h"
#include "redis/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server server;
static redisContext *own;
static struct rig rig;

/* ---- between requests ---- */

static const char *deed; /* NULL: none */
static unsigned requests, deed_at;

static void say(const char *command)
{
    redisReply *reply = redisCommand(own, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : "no answer");
    freeReplyObject(reply);
}

/* The names are the linker's (--wrap). */
int __real_wait_answer(redisContext *context, const char *data, size_t len, int news,
    int64_t deadline_ms, redisReply **reply);
int __wrap_wait_answer(redisContext *context, const char *data, size_t len, int news,
    int64_t deadline_ms, redisReply **reply);

int __wrap_wait_answer(redisContext *context, const char *data, size_t len, int news,
    int64_t deadline_ms, redisReply **reply)
{
    if (deed && requests++ == deed_at)
        say(deed);
    return __real_wait_answer(context, data, len, news, deadline_ms, reply);
}

/* ---- a life ---- */

static void expect_line(const char *what, int32_t code)
{
    const char *text = rig.error.text;
    if (rig.error.code != code || !text[0] || strchr(text, '\n'))
        fail_msg("%s before request %u: code %d, error %d: %s", what, deed_at, code, rig.error.code,
            text);
}

/* As a worker goes on, whatever has been done before. */
static void expect_work(const char *what, const char *id)
{
    int found = 0;
    if (rig_push(&rig, id, 0) != DRAY_OK)
        fail_msg("%s before request %u: push says %s", what, deed_at, rig.error.text);
    do {
        if (rig_reserve(&rig, 1, 0, 0) != DRAY_OK)
            fail_msg("%s before request %u: reserve says %s", what, deed_at, rig.error.text);
        found = found || (rig.nshown && strcmp(rig.shown[0].id, id) == 0);
        if (rig.nshown && rig_ack(&rig, 0) != DRAY_OK)
            fail_msg("%s before request %u: ack says %s", what, deed_at, rig.error.text);
    } while (rig.nshown);
    if (!found)
        fail_msg("%s before request %u: a new job does not come", what, deed_at);
}

/* Opens, pushes, reserves, acks; a call is fine or says what is wrong. */
static int32_t live(void)
{
    int32_t code = rig_open(&rig, server.socket, 0);
    if (code != DRAY_OK)
        return code;
    if ((code = rig_push(&rig, "a", 0)) != DRAY_OK)
        return code;
    if ((code = rig_reserve(&rig, 1, 0, 0)) != DRAY_OK || !rig.nshown)
        return code;
    code = rig_ack(&rig, 0);
    return code == DRAY_STALE ? DRAY_OK : code; /* its job has been taken away */
}

static int string_is(const char *command, const char *expected)
{
    redisReply *reply = redisCommand(own, command);
    assert_non_null(reply);
    int same = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, expected) == 0;
    freeReplyObject(reply);
    return same;
}

static void begin(int known)
{
    deed = NULL;
    say("FLUSHALL");
    say("SADD theirs 1");
    if (known) {
        assert_int_equal(live(), DRAY_OK);
        rig_close(&rig);
    }
    requests = 0;
}

/* The layout is there, and whoever asks for all queues is told of ours. */
static void expect_names(const char *what)
{
    redisReply *names = redisCommand(own, "SISMEMBER {dray}:queues q");
    assert_non_null(names);
    if (!string_is("GET {dray}:layout", "2") || names->integer != 1)
        fail_msg("%s before request %u: layout or name are missing", what, deed_at);
    freeReplyObject(names);
}

/* Does it before each request in turn; `undo` (or NULL) then makes it good. */
static void do_everywhere(const char *what, const char *undo, int32_t least)
{
    for (int known = 0; known < 2; known++) {
        for (deed_at = 0;; deed_at++) {
            begin(known);
            deed = what;
            int32_t code = live();
            deed = NULL;
            if (code != DRAY_OK && code != least)
                fail_msg("%s before request %u: %d, %s", what, deed_at, code, rig.error.text);
            if (code != DRAY_OK)
                expect_line(what, code);
            if (requests <= deed_at) {
                assert_true(deed_at > 10);
                rig_close(&rig);
                break;
            }
            if (undo)
                say(undo);
            if (code != DRAY_OK) {
                rig_close(&rig);
                assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
            }
            expect_work(what, "b");
            rig_close(&rig);
            expect_names(what);
        }
    }
}

static void test_flushed(void **state)
{
    (void)state;
    do_everywhere("FLUSHALL", NULL, DRAY_OK);
}

static void test_scripts_flushed(void **state)
{
    (void)state;
    do_everywhere("SCRIPT FLUSH", NULL, DRAY_OK);
}

/* Somebody else's key comes in the place of the layout. */
static void test_layout_taken(void **state)
{
    (void)state;
    do_everywhere("COPY theirs {dray}:layout REPLACE", "SET {dray}:layout 2", DRAY_UNSUPPORTED);
}

static int start(void **state)
{
    (void)state;
    rig_use(dray_driver_entry());
    server_start(&server, 0);
    own = server_talk(&server);
    return own ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    redisFree(own);
    server_remove(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushed),
        cmocka_unit_test(test_scripts_flushed),
        cmocka_unit_test(test_layout_taken),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, start, end);
}
