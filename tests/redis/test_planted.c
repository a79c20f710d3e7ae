/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody else's key in the place of each of ours, under each act of the driver: a clear error or
 * none at all, and with the key put right the queue is as it was or as it should be; nothing lies
 * halfway. Records of somebody else's in our keys; and jobs of ours that are in the wrong one.
 */
#include "redis/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scene scene;
static char before[SCENE_TEXT], after[SCENE_TEXT], seen[SCENE_TEXT];
static char what[128]; /* the case, for messages */

/* All keys of docs/redis.md. */
static const char *const keys[] = {"{dray}:layout", "{dray}:queues", "{dray:q}:meta",
    "{dray:q}:jobs", "{dray:q}:state", "{dray:q}:ready0", "{dray:q}:ready1", "{dray:q}:ready2",
    "{dray:q}:ready3", "{dray:q}:ready4", "{dray:q}:ready5", "{dray:q}:ready6", "{dray:q}:ready7",
    "{dray:q}:ready8", "{dray:q}:ready9", "{dray:q}:delayed", "{dray:q}:retrying",
    "{dray:q}:parked", "{dray:q}:leases", "{dray:q}:batches", "{dray:q}:dead", "{dray:q}:done",
    "{dray:q}:unique", "{dray:q}:totals", "{dray:q}:stale", "{dray:q}:ended", "{dray:q}:ended_old",
    "{dray:q}:ending", "{dray:q}:ending_old", "{dray:q}:none"};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

DRAY_PRINTF(1, 2)
static void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    redisReply *reply = redisvCommand(scene.own, fmt, args);
    va_end(args);
    assert_non_null(reply);
    freeReplyObject(reply); /* a key to be put aside may not be there */
}

/* A stream is what no driver of any layout keeps its jobs in. */
static void plant(const char *key)
{
    say("RENAME %s {dray:q}:aside", key);
    say("XADD %s 1-1 whose theirs", key);
}

static void dig_out(const char *key)
{
    redisReply *reply = redisCommand(scene.own, "TYPE %s", key);
    assert_non_null(reply);
    int theirs = strcmp(reply->str, "stream") == 0;
    freeReplyObject(reply);
    /* A queue whose job is done with may forget what it keeps nothing in. */
    if (!theirs && strcmp(key, "{dray:q}:none") != 0 && strcmp(key, "{dray:q}:totals") != 0)
        fail_msg("%s: their key was written over", what);
    if (theirs)
        say("DEL %s", key);
    say("RENAME {dray:q}:aside %s", key);
}

/* What the check finds; its notes go into `seen`. */
static uint64_t damaged(void)
{
    return scene_check(&scene.rig, what, seen);
}

static void measure(const struct act *act)
{
    scene_reset(&scene, act);
    scene_look(&scene, before);
    if (scene_run(&scene, act, 0) != DRAY_OK)
        fail_msg("%s: %s", act->name, scene.rig.error.text);
    scene_look(&scene, after);
    if (damaged())
        fail_msg("%s: leaves behind: %s", act->name, seen);
}

/* Put right, all goes on. */
static void expect_recovery(const struct act *act)
{
    int32_t code = scene_run(&scene, act, act->mixed);
    scene_look(&scene, seen);
    if (code != DRAY_OK || strcmp(seen, after) != 0)
        fail_msg("%s: then code %d, and the queue is\n%s", what, code, seen);
}

static void act_on(const struct act *act, const char *key)
{
    snprintf(what, sizeof(what), "%s, %s planted", act->name, key);
    rig_close(&scene.rig); /* so that it begins with the shorter way each time */
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
    scene_reset(&scene, act);
    plant(key);
    int32_t code = scene_run(&scene, act, 0);
    const struct dray_error *error = &scene.rig.error;
    dig_out(key);
    scene_look(&scene, seen);
    /* The parts of a turn are answered each on its own: what is before the reserve was done, and a
       reserve hands out what it comes to. */
    if (act->mixed && strcmp(seen, before) != 0) {
        expect_recovery(act);
        return;
    }
    if (code == DRAY_OK) {
        if (!scene_answered(&scene, act, 0) || strcmp(seen, after) != 0)
            fail_msg("%s: done, and the queue is\n%sand should be\n%s", what, seen, after);
        return;
    }
    if (code != DRAY_IO && code != DRAY_UNSUPPORTED)
        fail_msg("%s: code %d, %s", what, code, error->text);
    if (!strstr(error->text, "somebody else's") || strchr(error->text, '\n'))
        fail_msg("%s: says %s", what, error->text);
    if (strcmp(seen, before) != 0)
        fail_msg("%s: refused, and the queue is\n%sand should be\n%s", what, seen, before);
    expect_recovery(act);
}

static void start(void)
{
    scene_start(&scene, 0);
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
}

static void end(void)
{
    rig_close(&scene.rig);
    scene_end(&scene);
}

static void test_keys(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < scene_nacts; i++) {
        measure(&scene_acts[i]);
        for (size_t k = 0; k < NKEYS; k++)
            act_on(&scene_acts[i], keys[k]);
    }
    end();
}

/* ---- records ---- */

/* One of these beside three jobs of ours. */
static const char *const records[] = {
    "HSET {dray:q}:jobs ghost theirs",
    "HSET {dray:q}:jobs j0001 theirs",
    "HSET {dray:q}:state ghost theirs",
    "HSET {dray:q}:state j0001 theirs",
    "HSET {dray:q}:state j0001 a",
    "HSET {dray:q}:state j0001 r",
    "LPUSH {dray:q}:ready5 ghost",
    "LPUSH {dray:q}:ready5 j0001",
    "LPUSH {dray:q}:ready0 j0001",
    "ZADD {dray:q}:leases 1 ghost",
    "ZADD {dray:q}:leases 1 j0001",
    "ZADD {dray:q}:leases inf ghost",
    "ZADD {dray:q}:delayed 1 ghost",
    "ZADD {dray:q}:delayed 1 j0001",
    "ZADD {dray:q}:retrying 1 ghost",
    "ZADD {dray:q}:parked -inf ghost",
    "ZADD {dray:q}:dead 1 ghost",
    "ZADD {dray:q}:dead inf ghost",
    "ZADD {dray:q}:done 1 ghost",
    "HSET {dray:q}:unique key ghost",
    "HSET {dray:q}:totals pushed:t theirs",
    "HSET {dray:q}:totals theirs theirs",
    "HSET {dray:q}:stale 5j0001 theirs",
    "HSET {dray:q}:meta stale theirs",
    "HSET {dray:q}:meta turned theirs",
    "HSET {dray:q}:meta consumed theirs",
    "HSET {dray:q}:meta paused theirs",
    "HSET {dray:q}:meta theirs theirs",
    "SADD {dray}:queues theirs/and/not/a/name",
    "SADD {dray:q}:ended ghost",
    "RPUSH {dray:q}:ending ghost",
    "HSET {dray:q}:meta begun theirs",
    "HSET {dray:q}:meta ending theirs",
    "ZADD {dray:q}:leases 1 *ghost",
    "HSET {dray:q}:batches *ghost theirs",
};

/* A ghost with all that a job has, but for a record. */
static void plant_ghost(const char *content)
{
    say("HSET {dray:q}:jobs ghost %s", content);
    say("LPUSH {dray:q}:ready5 ghost");
}

/* What is ours goes its way: all that still is a job of ours is handed out and acked. */
static void expect_working(int least)
{
    struct rig *rig = &scene.rig;
    int got = 0, before_that;
    do {
        before_that = got;
        if (rig_reserve(rig, 8, 0, 0) != DRAY_OK)
            fail_msg("%s: reserve says %s", what, rig->error.text);
        uint32_t n = rig->nshown;
        for (uint32_t i = 0; i < n; i++) {
            got += rig->shown[i].id[0] == 'j';
            if (rig_ack(rig, i) != DRAY_OK)
                fail_msg("%s: ack says %s", what, rig->error.text);
        }
    } while (got > before_that);
    if (got < least)
        fail_msg("%s: %d jobs were handed out", what, got);
    if (rig_push(rig, "j0009", 0) != DRAY_OK || rig_reserve(rig, 8, 0, 0) != DRAY_OK ||
        rig->nshown != 1)
        fail_msg("%s: a new job is not handed out: %s", what, rig->error.text);
    scene_look(&scene, seen); /* in any case an answer */
}

static void test_records(void **state)
{
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        snprintf(what, sizeof(what), "%s", records[i]);
        scene.n = 1;
        scene_reset(&scene, &scene_acts[3]);
        redisReply *reply = redisCommand(scene.own, records[i]);
        assert_true(reply && reply->type != REDIS_REPLY_ERROR);
        freeReplyObject(reply);
        expect_working(strstr(records[i], "j0001") ? 1 : 2);
    }
    end();
}

static int32_t change_ghost(uint32_t verb)
{
    struct rig *rig = &scene.rig;
    struct dray_str id = {"ghost", 5};
    int32_t answer = DRAY_OK;
    struct dray_change change = {.size = sizeof(change),
        .what = verb,
        .flags = DRAY_CHANGE_FORCE,
        .nids = 1,
        .queue = {"q", 1},
        .ids = &id,
        .answers = &answer};
    int32_t code = rig->driver->change(rig->self, rig_call(rig), &change);
    return code == DRAY_OK ? answer : code;
}

static void test_ghosts(void **state)
{
    static const char *const contents[] = {
        "x", "theirs", "{\"class\":\"HardWorker\",\"args\":[1]}"};
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        snprintf(what, sizeof(what), "a job of content %s", contents[i]);
        scene_reset(&scene, &scene_acts[3]);
        plant_ghost(contents[i]);
        expect_working(6);
        assert_int_equal(rig_push(&scene.rig, "ghost", 0), DRAY_CONFLICT);
        redisReply *leases = redisCommand(scene.own, "HEXISTS {dray:q}:state ghost");
        assert_int_equal(leases->integer, 0); /* set aside: leased to nobody */
        freeReplyObject(leases);
        assert_int_equal(change_ghost(DRAY_CHANGE_CANCEL), DRAY_CONFLICT);
        assert_int_equal(change_ghost(DRAY_CHANGE_KICK), DRAY_CONFLICT);
        assert_true(damaged() > 0);
        assert_int_equal(change_ghost(DRAY_CHANGE_REMOVE), DRAY_OK);
        assert_int_equal(damaged(), 0);
        assert_int_equal(rig_push(&scene.rig, "ghost", 0), DRAY_OK);
    }
    end();
}

/* ---- what the log hears ---- */

static void take_all(void)
{
    struct rig *rig = &scene.rig;
    do {
        if (rig_reserve(rig, 32, 0, 0) != DRAY_OK)
            fail_msg("%s: %s", what, rig->error.text);
    } while (rig->nshown);
}

static void expect_told(unsigned lines, const char *piece)
{
    if (scene.rig.nlogged != lines || !strstr(scene.rig.logged, piece))
        fail_msg("%s: %u lines, the last: %s", what, scene.rig.nlogged, scene.rig.logged);
}

/* A record that nobody can have is named once, however often it comes. */
static void test_told(void **state)
{
    static const struct {
        const char *record, *key, *where; /* the field `ghost` of which key, and where it waits */
    } cases[] = {
        {"content", "{dray:q}:jobs", "LPUSH {dray:q}:ready5 ghost"},
        {"state", "{dray:q}:state", "LPUSH {dray:q}:ready5 ghost"},
        {"state", "{dray:q}:state", "ZADD {dray:q}:delayed 1 ghost"},
        {"state", "{dray:q}:state", "ZADD {dray:q}:leases 1 ghost"},
    };
    struct rig *rig = &scene.rig;
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(what, sizeof(what), "%s, %s", cases[i].record, cases[i].where);
        rig_close(rig);
        assert_int_equal(rig_open(rig, scene.server.socket, 0), DRAY_OK);
        scene_reset(&scene, &scene_acts[3]);
        unsigned before_that = rig->nlogged;
        assert_int_equal(rig_push(rig, "ghost", 0), DRAY_OK);
        say("LREM {dray:q}:ready5 0 ghost");
        say("HSET %s ghost theirs", cases[i].key);
        for (int k = 0; k < 3; k++) {
            redisReply *reply = redisCommand(scene.own, cases[i].where);
            assert_true(reply && reply->type == REDIS_REPLY_INTEGER);
            freeReplyObject(reply);
            take_all();
        }
        expect_told(before_that + 1, "queue q, job ghost: not a record of this layout");
    }
    end();
}

/* Jobs that were handed out together are named in their record alone. */
static void test_told_of_batch(void **state)
{
    struct rig *rig = &scene.rig;
    (void)state;
    start();
    snprintf(what, sizeof(what), "a batch");
    scene_reset(&scene, &scene_acts[3]);
    unsigned before_that = rig->nlogged;
    say("HSET {dray:q}:batches *ghost theirs");
    for (int k = 0; k < 3; k++) {
        say("ZADD {dray:q}:leases 1 *ghost");
        take_all();
    }
    expect_told(before_that + 1, "queue q: what is kept of jobs that were handed out together");
    say("ZADD {dray:q}:leases 1 *nobody"); /* a lease without a record has lost nothing */
    take_all();
    assert_int_equal(rig->nlogged, before_that + 1);
    end();
}

/* Very many neither flood the log nor hold the server up, and what is behind them comes. */
static void test_told_of_many(void **state)
{
    static const char many[] = "for i = 1, 5000 do redis.call('HSET', '{dray:q}:jobs', 'ghost' .. "
                               "i, 'theirs') redis.call('LPUSH', '{dray:q}:ready5', 'ghost' .. i) "
                               "end";
    struct rig *rig = &scene.rig;
    (void)state;
    start();
    snprintf(what, sizeof(what), "many ghosts");
    scene_reset(&scene, &scene_acts[3]);
    unsigned before_that = rig->nlogged;
    say("EVAL %s 0", many);
    assert_int_equal(rig_reserve(rig, 32, 0, 0), DRAY_OK);
    assert_int_equal(rig->nshown, 0);
    assert_int_equal(rig->call.next_ms, 0); /* it is not at the end of them */
    assert_int_equal(rig->nlogged, before_that + 101);
    if (!strstr(rig->logged, "more jobs that are not records"))
        fail_msg("%s", rig->logged);
    assert_int_equal(rig_reserve(rig, 32, 0, 0), DRAY_OK);
    assert_int_equal(rig_reserve(rig, 32, 0, 0), DRAY_OK);
    assert_int_equal(rig->nshown, 6);
    end();
}

/* ---- places ---- */

/* A job that is not where its record says, or that is nowhere. */
static void test_places(void **state)
{
    static const struct {
        const char *begins, *command, *note;
    } cases[] = {
        {"reserve", "LREM {dray:q}:ready5 1 j0000", "1 ready jobs are in no list"},
        {"reserve", "LPUSH {dray:q}:ready5 ghost", "job ghost: is in ready5"},
        {"reserve", "ZADD {dray:q}:dead 1 ghost", "job ghost: is in dead"},
        {"reserve", "ZADD {dray:q}:parked 1 j0001", "job j0001: is in parked"},
        {"ack", "RPUSH {dray:q}:ready5 j0000", "job j0000: is in ready5"},
        {"ack", "HDEL {dray:q}:jobs j0000", "job j0000: is where nobody"},
        {"ack", "HDEL {dray:q}:state j0001", "job j0001: is in leases"},
        {"ack", "ZREM {dray:q}:leases j0000", "job j0000: is where nobody"},
        {"ack", "ZADD {dray:q}:delayed 1 j0001", "job j0001: is in delayed"},
        {"kick", "ZREM {dray:q}:dead j0002", "job j0002: is where nobody"},
    };
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(what, sizeof(what), "%s: %s", cases[i].begins, cases[i].command);
        for (unsigned k = 0; k < scene_nacts; k++) {
            if (strcmp(scene_acts[k].name, cases[i].begins) == 0)
                scene_reset(&scene, &scene_acts[k]);
        }
        assert_int_equal(damaged(), 0);
        redisReply *reply = redisCommand(scene.own, cases[i].command);
        assert_true(reply && reply->integer > 0);
        freeReplyObject(reply);
        if (damaged() == 0 || !strstr(seen, cases[i].note))
            fail_msg("%s: the check says %s", what, seen);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_ghosts),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_told_of_batch),
        cmocka_unit_test(test_told_of_many),
        cmocka_unit_test(test_places),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
