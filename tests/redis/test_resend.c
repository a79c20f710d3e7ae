/* SPDX-License-Identifier: Apache-2.0 */
/*
 * U1: a push that is sent again after its job was run and acknowledged does not run it twice,
 * wherever the driver remembers that it ended: in the lists that outcomes go to, in the sets that
 * these are folded into before a push is looked up, and in those of the turn before.
 */
#include "redis/redis_server.h"
#include "redis/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server server;
static struct rig pusher, worker;
static redisContext *own;

/* ---- time, and what happens between two calls of one push ---- */

static int64_t now_ms;
static unsigned asked; /* how often the pusher has asked for the time since it began to push */
static void (*between)(void);

static int64_t time_now(void)
{
    return now_ms;
}

/* A push that is sent again calls two scripts, one that folds and one that pushes. The second time
   that it asks for the time, the first has been carried out, and the second not yet sent. */
static int64_t time_for_pusher(void)
{
    if (between && ++asked == 2)
        between();
    return now_ms;
}

/* ---- the queue ---- */

static long long number(redisReply *reply)
{
    assert_non_null(reply);
    if (reply->type != REDIS_REPLY_INTEGER)
        fail_msg("no number: %s", reply->str ? reply->str : "");
    long long n = reply->integer;
    freeReplyObject(reply);
    return n;
}

static void expect_lists(long long ending, long long ending_old)
{
    assert_int_equal(number(redisCommand(own, "LLEN {dray:q}:ending")), ending);
    assert_int_equal(number(redisCommand(own, "LLEN {dray:q}:ending_old")), ending_old);
}

static void expect_in(const char *set, const char *id)
{
    if (number(redisCommand(own, "SISMEMBER {dray:q}:%s %s", set, id)) != 1)
        fail_msg("%s is not in %s", id, set);
}

/* Pushed, and answered; but say that the answer gets lost. */
static void push(const char *id)
{
    assert_int_equal(rig_push(&pusher, id, 0), DRAY_OK);
}

/* Takes the one job there is, and says that it is done. */
static void run(const char *id)
{
    assert_int_equal(rig_reserve(&worker, 1, 0, 0), DRAY_OK);
    assert_int_equal(worker.nshown, 1);
    assert_string_equal(worker.shown[0].id, id);
    assert_int_equal(rig_ack(&worker, 0), DRAY_OK);
}

static void resend(const char *id, int32_t answer)
{
    asked = 0;
    int32_t got = rig_push(&pusher, id, DRAY_PUSH_RESEND);
    if (got != answer)
        fail_msg("%s, sent again: %d, not %d: %s", id, got, answer, pusher.error.text);
    if (between)
        assert_true(asked >= 2);
    between = NULL;
}

static void expect_nothing_to_run(void)
{
    assert_int_equal(rig_reserve(&worker, RIG_SHOWN, 0, 0), DRAY_OK);
    assert_int_equal(worker.nshown, 0);
    assert_int_equal(rig_live(&worker), 0);
}

/* The same, and what has never ended is stored. */
static void expect_over(void)
{
    expect_nothing_to_run();
    resend("never-pushed", DRAY_OK);
    run("never-pushed");
    expect_nothing_to_run();
}

static int start(void **state)
{
    (void)state;
    now_ms = 1000000;
    between = NULL;
    server_start(&server, 0);
    own = server_talk(&server);
    assert_non_null(own);
    assert_int_equal(rig_open_timed(&pusher, server.socket, time_for_pusher), DRAY_OK);
    assert_int_equal(rig_open_timed(&worker, server.socket, time_now), DRAY_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_close(&worker);
    rig_close(&pusher);
    redisFree(own);
    server_remove(&server);
    return 0;
}

/* ---- ended before it is sent again ---- */

static void test_ended(void **state)
{
    (void)state;
    push("a");
    run("a");
    expect_lists(1, 0);
    resend("a", DRAY_EXISTS);
    expect_lists(0, 0);
    expect_in("ended", "a");
    resend("a", DRAY_EXISTS);
    expect_over();
}

/* Lists take turns, an old one is folded with the new one. */
static void test_ended_before_the_list_turned(void **state)
{
    (void)state;
    push("a");
    run("a");
    now_ms += RIG_DEDUPE_MS;
    push("b");
    run("b");
    expect_lists(1, 1);
    resend("a", DRAY_EXISTS);
    expect_lists(0, 0);
    expect_in("ended", "a");
    expect_in("ended", "b");
    resend("b", DRAY_EXISTS);
    expect_over();
}

/* Sets take turns, too. */
static void test_ended_before_the_set_turned(void **state)
{
    (void)state;
    push("a");
    run("a");
    resend("a", DRAY_EXISTS);
    now_ms += RIG_DEDUPE_MS;
    push("b");
    run("b");
    resend("b", DRAY_EXISTS);
    expect_in("ended_old", "a");
    expect_in("ended", "b");
    resend("a", DRAY_EXISTS);
    expect_over();
}

/* ---- ended while it is sent again, after lists have been folded ---- */

static void end_a(void)
{
    run("a");
    expect_lists(1, 0);
}

static void test_ends_meanwhile(void **state)
{
    (void)state;
    push("a");
    between = end_a;
    resend("a", DRAY_EXISTS);
    expect_lists(1, 0);
    resend("a", DRAY_EXISTS);
    expect_in("ended", "a");
    expect_over();
}

static void end_a_and_turn(void)
{
    run("a");
    now_ms += RIG_DEDUPE_MS;
    assert_int_equal(rig_push(&worker, "b", 0), DRAY_OK);
    run("b");
    expect_lists(1, 1);
}

static void test_ends_meanwhile_and_the_list_turns(void **state)
{
    (void)state;
    push("a");
    between = end_a_and_turn;
    resend("a", DRAY_EXISTS);
    expect_lists(1, 1);
    resend("b", DRAY_EXISTS);
    expect_in("ended", "a");
    expect_in("ended", "b");
    expect_over();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ended, start, end),
        cmocka_unit_test_setup_teardown(test_ended_before_the_list_turned, start, end),
        cmocka_unit_test_setup_teardown(test_ended_before_the_set_turned, start, end),
        cmocka_unit_test_setup_teardown(test_ends_meanwhile, start, end),
        cmocka_unit_test_setup_teardown(test_ends_meanwhile_and_the_list_turns, start, end),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
