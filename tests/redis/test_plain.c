/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which way a turn takes, the short script's or the other one's, and that both do the same: jobs
 * that share a lease, jobs that leave it, and what the short script knows nothing of.
 */
#include "redis/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

static struct batch batch;

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

/* Opened anew, the driver has met nothing yet that was not plain. */
static void forget(void)
{
    static struct rig before;
    memcpy(&before, &ways.rig, sizeof(before));
    rig_close(&ways.rig);
    assert_int_equal(rig_open(&ways.rig, ways.server.socket, 0), DRAY_OK);
    memcpy(ways.rig.shown, before.shown, sizeof(before.shown));
    ways.rig.nonce = before.nonce;
    ways_forget();
}

static void take(const char *what, uint32_t most, uint32_t n, const char *way)
{
    if (rig_reserve(&ways.rig, most, 0, 0) != DRAY_OK)
        fail_msg("%s: %s", what, ways.rig.error.text);
    if (ways.rig.nshown != n)
        fail_msg("%s: %u jobs were handed out, not %u", what, ways.rig.nshown, n);
    ways_expect(what, way);
}

/* An outcome of the job that was handed out at this place; verdict 0: a renewal. */
static int32_t settle(uint32_t shown, uint32_t verdict, uint64_t delay_ms, int64_t counter)
{
    const struct dray_driver *driver = ways.rig.driver;
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = verdict,
        .queue = str("q"),
        .id = str(ways.rig.shown[shown].id),
        .type = str("t"),
        .token = ways.rig.shown[shown].token,
        .lease_ms = 60000,
        .delay_ms = delay_ms};
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    lease.token.counter += (uint64_t)counter;
    int32_t code = (verdict == 0 ? driver->extend
                    : verdict == DRAY_VERDICT_DONE
                        ? driver->ack
                        : driver->retry)(ways.rig.self, rig_call(&ways.rig), leases, &answer, 1);
    return code == DRAY_OK ? answer : code;
}

static void expect_counts(long long leases, long long batches, long long states, int64_t live)
{
    assert_int_equal(ways_number("ZCARD {dray:q}:leases"), leases);
    assert_int_equal(ways_number("HLEN {dray:q}:batches"), batches);
    assert_int_equal(ways_number("HLEN {dray:q}:state"), states);
    assert_int_equal(rig_live(&ways.rig), live);
    ways_forget();
}

static void push(const char *id, uint32_t n)
{
    ways_fill(&batch, "q", id, n);
    assert_int_equal(ways_send(&batch), DRAY_OK);
    ways_forget();
}

/* One lease for all of a reserve, until the last of them is settled, in whatever order. */
static void test_shared(void **state)
{
    (void)state;
    ways_start();
    push("job", 5);
    take("all", 5, 5, "p");
    expect_counts(1, 1, 0, 5);
    static const uint32_t order[] = {1, 0, 4, 2, 3};
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(settle(order[i], DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
        ways_expect("one of them", "p");
        assert_int_equal(settle(order[i], DRAY_VERDICT_DONE, 0, 0), DRAY_STALE);
        ways_expect("again", "pt");
        forget();
        expect_counts(i < 4, i < 4, 0, 4 - (int64_t)i);
    }
    assert_int_equal(
        ways_number("HGET {dray:q}:totals completed:t"), 6); /* with the first of all */
    ways_end();
}

/* Jobs that leave the others for a lease or a state of their own. */
static void test_apart(void **state)
{
    (void)state;
    ways_start();
    push("job", 6);
    take("all", 6, 6, "p");
    assert_int_equal(settle(0, DRAY_VERDICT_DONE, 0, 1), DRAY_STALE); /* no token of theirs */
    assert_int_equal(settle(0, 0, 0, 0), DRAY_OK);                    /* renewed */
    expect_counts(2, 1, 1, 6);
    assert_int_equal(settle(1, DRAY_VERDICT_AGAIN, HOUR_MS, 0), DRAY_OK);
    expect_counts(2, 1, 2, 5);
    assert_int_equal(settle(1, DRAY_VERDICT_DONE, 0, 0), DRAY_STALE);
    assert_int_equal(settle(2, DRAY_VERDICT_RELEASE, 0, 0), DRAY_OK);
    expect_counts(2, 1, 3, 5);
    assert_int_equal(settle(3, DRAY_VERDICT_BURY, 0, 0), DRAY_OK);
    forget();
    assert_int_equal(settle(4, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    ways_expect("one of those that are left", "p");
    assert_int_equal(settle(0, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    ways_expect("the renewed one", "pt");
    expect_counts(1, 1, 3, 2);
    ways_end();
}

/* T13, T15: by people. */
static void test_people(void **state)
{
    static const struct {
        uint32_t what, flags;
        int32_t answer;
        long long leases, states;
        int64_t live;
    } cases[] = {{DRAY_CHANGE_KICK, 0, DRAY_CONFLICT, 1, 0, 3},
        {DRAY_CHANGE_REMOVE, 0, DRAY_CONFLICT, 1, 0, 3}, {DRAY_CHANGE_CANCEL, 0, DRAY_OK, 2, 1, 3},
        {DRAY_CHANGE_REMOVE, DRAY_CHANGE_FORCE, DRAY_OK, 1, 0, 2}};
    struct dray_str id = str("job1");
    (void)state;
    ways_start();
    push("job", 3);
    take("all", 3, 3, "p");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int32_t answer = DRAY_OK;
        struct dray_change change = {.size = sizeof(change),
            .what = cases[i].what,
            .flags = cases[i].flags,
            .nids = 1,
            .queue = str("q"),
            .ids = &id,
            .answers = &answer};
        assert_int_equal(
            ways.rig.driver->change(ways.rig.self, rig_call(&ways.rig), &change), DRAY_OK);
        assert_int_equal(answer, cases[i].answer);
        expect_counts(cases[i].leases, 1, cases[i].states, cases[i].live);
    }
    assert_int_equal(settle(1, DRAY_VERDICT_DONE, 0, 0), DRAY_STALE);
    ways_end();
}

/* Whatever a look by the short script leaves to the other, and what it does not. */
static void test_looks(void **state)
{
    static const struct {
        const char *name, *command, *undo, *way;
        uint32_t n;
    } cases[] = {{"plain", "PING", "PING", "p", 2},
        {"paused", "HSET {dray:q}:meta paused 1", "HDEL {dray:q}:meta paused", "pt", 0},
        {"stale entries", "HSET {dray:q}:meta stale 1", "HDEL {dray:q}:meta stale", "pt", 2},
        {"layout 1", "HSET {dray:q}:meta layout 1", "PING", "pt", 2},
        {"a due job", "ZADD {dray:q}:delayed 1 ghost", "DEL {dray:q}:delayed", "pt", 2},
        {"a delayed job", "ZADD {dray:q}:retrying 1e15 ghost", "DEL {dray:q}:retrying", "p", 2},
        {"an expired lease", "ZADD {dray:q}:leases 1 ghost", "ZREM {dray:q}:leases ghost", "pt", 2},
        {"a dead job", "ZADD {dray:q}:dead 1 ghost", "DEL {dray:q}:dead", "p", 2},
        {"a state", "HSET {dray:q}:state other x", "DEL {dray:q}:state", "p", 2},
        {"a tried job", "HSET {dray:q}:state job0 x", "DEL {dray:q}:state", "pt", 1},
        {"another list", "RPUSH {dray:q}:ready3 ghost", "DEL {dray:q}:ready3", "pt", 2},
        {"theirs", "SET {dray:q}:delayed x", "DEL {dray:q}:delayed", "pt", 0}};
    (void)state;
    ways_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        push("job", 2);
        forget();
        redisReply *reply = redisCommand(ways.own, cases[i].command);
        assert_non_null(reply);
        freeReplyObject(reply);
        ways_forget();
        int32_t code = rig_reserve(&ways.rig, 8, 0, 0);
        if ((code != DRAY_OK) != (strcmp(cases[i].name, "theirs") == 0) ||
            ways.rig.nshown != cases[i].n)
            fail_msg("%s: code %d, %u jobs", cases[i].name, code, ways.rig.nshown);
        ways_expect(cases[i].name, cases[i].way);
        ways_say("DEL {dray:q}:jobs {dray:q}:state {dray:q}:ready5 {dray:q}:leases "
                 "{dray:q}:batches");
        freeReplyObject(redisCommand(ways.own, cases[i].undo));
    }
    assert_int_equal(ways_number("HGET {dray:q}:meta layout"), 2);
    ways_end();
}

/* U1: in the list first, in the set once somebody asks. */
static void test_remembered(void **state)
{
    (void)state;
    ways_start();
    push("job", 3);
    take("all", 3, 3, "p");
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(settle(i, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    assert_int_equal(ways_number("LLEN {dray:q}:ending"), 4); /* with the first of all */
    assert_int_equal(ways_number("HGET {dray:q}:meta ending"), 4);
    assert_true(ways_number("PTTL {dray:q}:ending") > 120000);
    assert_int_equal(rig_push(&ways.rig, "job1", DRAY_PUSH_RESEND), DRAY_EXISTS);
    assert_int_equal(ways_number("EXISTS {dray:q}:ending"), 0);
    assert_int_equal(ways_number("SCARD {dray:q}:ended"), 4);
    assert_true(ways_number("PTTL {dray:q}:ended") > 120000);
    assert_int_equal(rig_push(&ways.rig, "job3", DRAY_PUSH_RESEND), DRAY_OK);
    assert_int_equal(rig_live(&ways.rig), 1);
    ways_end();
}

/* F4: what a nonce holds is handed out again, as far as it still holds it. */
static void test_replayed(void **state)
{
    (void)state;
    ways_start();
    push("job", 4);
    assert_int_equal(rig_reserve(&ways.rig, 4, 0, 4711), DRAY_OK);
    ways_expect("a look", "p");
    assert_int_equal(settle(0, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    assert_int_equal(settle(1, 0, 0, 0), DRAY_OK);
    ways_forget();
    assert_int_equal(rig_reserve(&ways.rig, 4, DRAY_RESERVE_REPLAY, 4711), DRAY_OK);
    ways_expect("the same again", "t");
    assert_int_equal(ways.rig.nshown, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ways.rig.shown[i].attempts, 1);
        assert_int_equal(settle(i, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    }
    expect_counts(0, 0, 0, 0);
    ways_end();
}

/* A turn of one push and a look for up to 8 jobs, as of a dispatcher beside an idle executor.
   Returns the push's answer. */
static int32_t push_and_look(uint32_t njobs, uint32_t *shown)
{
    struct dray_str queue = str("q");
    struct dray_reserve want = {.size = sizeof(want),
        .max = 8,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 60000,
        .nonce = ++ways.rig.nonce,
        .owner = str("host:1"),
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    struct dray_push *groups[] = {ways_fill(&batch, "q", "new", njobs)};
    struct dray_turn turn = {.size = sizeof(turn), .npush = 1, .push = groups, .reserve = &want};
    ways.rig.nshown = 0;
    int32_t code = ways.rig.driver->turn(ways.rig.self, rig_call(&ways.rig), &turn);
    *shown = ways.rig.nshown;
    return code != DRAY_OK ? code : batch.push.code != DRAY_OK ? batch.push.code : batch.answers[0];
}

/* Straight to the worker that waits: as good as any other way to it, and the shortest. */
static void test_handed_over(void **state)
{
    uint32_t shown;
    (void)state;
    ways_start();
    ways_say("CONFIG RESETSTAT");
    assert_int_equal(push_and_look(1, &shown), DRAY_OK);
    ways_expect("one job", "p");
    assert_int_equal(shown, 1);
    assert_int_equal(ways.rig.call.next_ms, 60001);
    assert_int_equal(ways.rig.shown[0].attempts, 1);
    redisReply *stats = ways_ask("INFO commandstats");
    assert_non_null(strstr(stats->str, "cmdstat_hsetnx:calls=2,"));
    assert_null(strstr(stats->str, "push:calls"));
    freeReplyObject(stats);
    expect_counts(1, 1, 0, 1);
    assert_int_equal(push_and_look(1, &shown), DRAY_EXISTS);
    ways_expect("the same again", "pt");
    assert_int_equal(shown, 0);
    assert_int_equal(settle(0, DRAY_VERDICT_DONE, 0, 1), DRAY_STALE);
    forget();
    snprintf(ways.rig.shown[0].id, sizeof(ways.rig.shown[0].id), "new0");
    assert_int_equal(settle(0, DRAY_VERDICT_DONE, 0, 0), DRAY_OK);
    expect_counts(0, 0, 0, 0);
    assert_int_equal(ways_number("HGET {dray:q}:totals pushed:t"), 2);
    assert_int_equal(ways_number("HGET {dray:q}:totals completed:t"), 2);
    ways_end();
}

/* Where there is more to do nothing is handed over, and nothing remains of the attempt. */
static void test_not_handed_over(void **state)
{
    static const struct {
        const char *name, *command, *undo, *way;
        int32_t code;
        uint32_t shown;
        long long leases;
        int64_t live;
    } cases[] = {{"paused", "HSET {dray:q}:meta paused 1", "HDEL {dray:q}:meta paused", "pt",
                     DRAY_OK, 0, 0, 1},
        {"jobs before it", "PING", "PING", "p", DRAY_OK, 2, 1, 2},
        {"a delayed job", "ZADD {dray:q}:delayed 1e15 ghost", "DEL {dray:q}:delayed", "p", DRAY_OK,
            1, 1, 1},
        {"an expired lease", "ZADD {dray:q}:leases 1 ghost", "ZREM {dray:q}:leases ghost", "pt",
            DRAY_OK, 1, 1, 1},
        {"a long silence", "HSET {dray:q}:meta consumed 1", "PING", "pt", DRAY_OK, 1, 1, 1},
        {"jobs of another type", "SET {dray:q}:jobs x", "DEL {dray:q}:jobs", "pt", DRAY_IO, 0, 0,
            0},
        {"leases of another type", "SET {dray:q}:leases x", "DEL {dray:q}:leases", "pt", DRAY_OK, 0,
            0, 1},
        {"batches of another type", "SET {dray:q}:batches x", "DEL {dray:q}:batches", "pt", DRAY_OK,
            0, 0, 1},
        {"totals of another type", "SET {dray:q}:totals x", "DEL {dray:q}:totals", "pt", DRAY_IO, 0,
            0, 0},
        {"a total that is no number", "HSET {dray:q}:totals pushed:t x",
            "HDEL {dray:q}:totals pushed:t", "p", DRAY_OK, 1, 1, 1}};
    (void)state;
    ways_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t shown;
        ways_say("DEL {dray:q}:jobs {dray:q}:ready5 {dray:q}:leases {dray:q}:batches");
        if (cases[i].shown == 2)
            push("before", 1);
        freeReplyObject(redisCommand(ways.own, cases[i].command));
        forget();
        int32_t code = push_and_look(1, &shown);
        if (code != cases[i].code || shown != cases[i].shown)
            fail_msg("%s: code %d, %u jobs", cases[i].name, code, shown);
        ways_expect(cases[i].name, cases[i].way);
        freeReplyObject(redisCommand(ways.own, cases[i].undo));
        expect_counts(cases[i].leases, cases[i].leases, 0, cases[i].live);
    }
    ways_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_handed_over),
        cmocka_unit_test(test_not_handed_over),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
