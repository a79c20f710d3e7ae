/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A right that is taken away while the driver is open: under each act, each command that its
 * scripts call, on each key that they call it on. Whatever was refused, no job is lost and none is
 * stuck: what is answered as certainly not done was not begun, and what is not known is done when
 * it is asked again.
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

#define CALLS 256
#define MARK "the-act-is-over"

static struct scene scene;
static redisContext *monitor;
static char before[SCENE_TEXT], after[SCENE_TEXT], seen[SCENE_TEXT];
static char what[200]; /* the case, for messages */
static unsigned refused, unclear;

/* The commands of an act's scripts, each with a key or channel, as it calls them. */
static struct {
    char verb[32], key[64];
} calls[CALLS];
static unsigned ncalls;

/* All keys of docs/redis.md that a queue has. */
static const char *const keys[] = {"meta", "jobs", "state", "ready0", "ready1", "ready2", "ready3",
    "ready4", "ready5", "ready6", "ready7", "ready8", "ready9", "delayed", "retrying", "parked",
    "leases", "batches", "dead", "done", "unique", "totals", "stale", "ended", "ended_old",
    "ending", "ending_old", "none"};

static void say(const char *command)
{
    redisReply *reply = redisCommand(scene.own, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : "no answer");
    freeReplyObject(reply);
}

/* ---- what an act calls ---- */

/* The next word in quotes; 0 if there is none. */
static int next_quoted(const char **at, char *out, size_t size)
{
    const char *begin = strchr(*at, '"');
    size_t len = begin ? strcspn(begin + 1, "\"") : 0;
    if (!begin)
        return 0;
    snprintf(out, size, "%.*s", (int)len, begin + 1);
    *at = begin + len + 2;
    return 1;
}

static int changes_something(const char *verb)
{
    static const char *const verbs[] = {"DEL", "HDEL", "HINCRBY", "HSET", "HSETNX", "LTRIM",
        "PEXPIRE", "PUBLISH", "RENAME", "RPUSH", "SADD", "ZADD", "ZREM"};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i], verb) == 0)
            return 1;
    }
    return 0;
}

static void note_call(const char *line)
{
    char verb[32], key[64] = "";
    const char *at = strstr(line, " lua] ");
    if (!at || !next_quoted(&at, verb, sizeof(verb)) ||
        !(changes_something(verb) || getenv("DRAY_LONG")))
        return;
    next_quoted(&at, key, sizeof(key));
    for (unsigned i = 0; i < ncalls; i++) {
        if (strcmp(calls[i].verb, verb) == 0 && strcmp(calls[i].key, key) == 0)
            return;
    }
    assert_true(ncalls < CALLS);
    memcpy(calls[ncalls].verb, verb, sizeof(verb));
    memcpy(calls[ncalls++].key, key, sizeof(key));
}

/* What has been called since the last mark. */
static void gather_calls(void)
{
    ncalls = 0;
    say("ECHO " MARK);
    for (int over = 0; !over;) {
        redisReply *line = NULL;
        assert_int_equal(redisGetReply(monitor, (void **)&line), REDIS_OK);
        over = strstr(line->str, MARK) != NULL;
        note_call(line->str);
        freeReplyObject(line);
    }
}

/* ---- rights ---- */

/* All that there is but for this call. */
static void revoke(const char *verb, const char *key)
{
    char command[4000];
    int len = snprintf(command, sizeof(command), "ACL SETUSER default -%s", verb);
    if (strncmp(key, "{dray:q}:", 9) == 0 && strcmp(verb, "PUBLISH") != 0) {
        len += snprintf(command + len, sizeof(command) - (size_t)len, " (+%s", verb);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (strcmp(keys[i], key + 9) != 0)
                len += snprintf(
                    command + len, sizeof(command) - (size_t)len, " ~{dray:q}:%s", keys[i]);
        }
        snprintf(command + len, sizeof(command) - (size_t)len, ")");
    }
    say(command);
}

static void give_back(void)
{
    say("ACL SETUSER default clearselectors +@all");
}

/* ---- judging ---- */

static void expect_sound(void)
{
    if (scene_check(&scene.eye, what, seen))
        fail_msg("%s: at last the check says\n%s", what, seen);
}

/* Lets everything end that ends by time, and takes all that comes: then all is in its place, and no
   job of before that the act was not to end is missing. */
static void expect_nothing_stuck(long long least)
{
    static const char age[] =
        "for _, name in ipairs({'leases', 'delayed', 'retrying', 'parked'}) do for _, id in "
        "ipairs(redis.call('ZRANGE', '{dray:q}:' .. name, 0, -1)) do redis.call('ZADD', "
        "'{dray:q}:' .. name, 1, id) end end return redis.call('HLEN', '{dray:q}:jobs')";
    redisReply *reply = redisCommand(scene.own, "EVAL %s 0", age);
    assert_true(reply && reply->type == REDIS_REPLY_INTEGER);
    if (reply->integer < least)
        fail_msg("%s: %lld jobs are left of %lld", what, reply->integer, least);
    freeReplyObject(reply);
    say("HDEL {dray:q}:meta paused");
    scene_drain(&scene);
    expect_sound();
    scene_look(&scene, seen);
    if (!strstr(seen, "ready=0 delayed=0"))
        fail_msg("%s: is stuck:\n%s", what, seen);
}

static long long count_jobs(const char *look)
{
    long long n = 0;
    for (const char *at = look; (at = strstr(at, " state=")) != NULL; at++)
        n++;
    return n;
}

static void begin(const struct act *act)
{
    rig_close(&scene.rig); /* so that it begins with the shorter way each time */
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
    scene_reset(&scene, act);
    say("HINCRBY {dray:q}:totals pushed:t 5");
}

static int32_t act_without(const struct act *act, unsigned i)
{
    begin(act);
    revoke(calls[i].verb, calls[i].key);
    int32_t code = scene_run(&scene, act, 0);
    give_back();
    return code;
}

static void expect_fair(const struct act *act, unsigned i)
{
    long long nbefore = count_jobs(before), nafter = count_jobs(after);
    snprintf(what, sizeof(what), "%s without %s %s", act->name, calls[i].verb, calls[i].key);
    int32_t code = act_without(act, i);
    const char *text = scene.rig.error.text;
    scene_look(&scene, seen);
    if (code == DRAY_OK && scene_answered(&scene, act, 0)) {
        if (!act->mixed && strcmp(seen, after) != 0)
            fail_msg("%s: done, and the queue is\n%sand should be\n%s", what, seen, after);
        expect_nothing_stuck(nafter);
        return;
    }
    if (code != DRAY_UNKNOWN && code != DRAY_DENIED && code != DRAY_OK)
        fail_msg("%s: code %d, %s", what, code, text);
    refused += code == DRAY_DENIED;
    unclear += code == DRAY_UNKNOWN;
    if (code == DRAY_DENIED && strcmp(seen, before) == 0)
        return;
    if (code == DRAY_DENIED && !act->mixed)
        fail_msg("%s: refused, and the queue is\n%sand was\n%s", what, seen, before);
    expect_nothing_stuck(nbefore < nafter ? nbefore : nafter);

    act_without(act, i);
    code = scene_run(&scene, act, 1);
    scene_look(&scene, seen);
    if (code != DRAY_OK || !scene_answered(&scene, act, 1))
        fail_msg("%s: asked again: %d, %s", what, code, scene.rig.error.text);
    expect_nothing_stuck(nafter);
}

static void test_each_call(void **state)
{
    (void)state;
    scene_start(&scene, 0);
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
    monitor = server_talk(&scene.server);
    freeReplyObject(redisCommand(monitor, "MONITOR"));
    for (unsigned k = 0; k < scene_nacts; k++) {
        const struct act *act = &scene_acts[k];
        begin(act);
        scene_look(&scene, before);
        gather_calls();
        assert_int_equal(scene_run(&scene, act, 0), DRAY_OK);
        gather_calls();
        scene_look(&scene, after);
        for (unsigned i = 0; i < ncalls; i++)
            expect_fair(act, i);
    }
    assert_true(refused > 100);
    print_message("%u acts were refused, %u were not clear\n", refused, unclear);
    redisFree(monitor);
    rig_close(&scene.rig);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_call)};
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
