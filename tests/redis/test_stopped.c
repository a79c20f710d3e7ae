/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that takes no writes for a while, since its disk is full (MISCONF) or its replicas are
 * gone (NOREPLICAS): every call is refused with one line that says so and changes nothing, and a
 * worker goes on by itself when it is over. Or since its memory is full: so that it can be drained,
 * pushes alone are refused. L3, R2, R6.
 */
#include "redis/load.h"
#include "redis/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOPPED_MS 1500

static struct scene scene;
static char before[SCENE_TEXT], seen[SCENE_TEXT];

static redisReply *ask(redisContext *own, const char *command)
{
    redisReply *reply = redisCommand(own, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply ? reply->str : "no answer");
    return reply;
}

static void say(redisContext *own, const char *command)
{
    freeReplyObject(ask(own, command));
}

static int info_says(redisContext *own, const char *piece)
{
    redisReply *reply = ask(own, "INFO persistence");
    int found = strstr(reply->str, piece) != NULL;
    freeReplyObject(reply);
    return found;
}

/* ---- reasons ---- */

/* A folder in the place of its file, which root cannot write over either. */
static void break_disk(redisContext *own, const char *folder)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/dump.rdb", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    freeReplyObject(redisCommand(own, "CONFIG SET save %s", "3600 100000000"));
    say(own, "CONFIG SET stop-writes-on-bgsave-error no");
    say(own, "BGSAVE");
    WAIT_FOR(info_says(own, "rdb_last_bgsave_status:err"));
}

static void mend_disk(redisContext *own, const char *folder)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/dump.rdb", folder);
    assert_int_equal(rmdir(path), 0);
    say(own, "BGSAVE");
    WAIT_FOR(info_says(own, "rdb_last_bgsave_status:ok"));
}

static const struct reason {
    const char *word, *advice;
    int32_t code;
    const char *begin, *end; /* on a server whose disk is broken */
} reasons[] = {
    {"NOREPLICAS", "min-replicas-to-write", DRAY_BUSY, "CONFIG SET min-replicas-to-write 1",
        "CONFIG SET min-replicas-to-write 0"},
    {"MISCONF", "cannot save its data", DRAY_IO, "CONFIG SET stop-writes-on-bgsave-error yes",
        "CONFIG SET stop-writes-on-bgsave-error no"},
};
#define NREASONS (sizeof(reasons) / sizeof(reasons[0]))

/* ---- each call ---- */

static void expect_line(const struct reason *reason, const char *what, int32_t code)
{
    const char *text = scene.rig.error.text;
    if (code != reason->code || !strstr(text, reason->word) || !strstr(text, reason->advice) ||
        strchr(text, '\n'))
        fail_msg("%s: %s: %d, %s", reason->word, what, code, text);
}

static void act_while_stopped(const struct reason *reason, const struct act *act)
{
    scene_reset(&scene, act);
    scene_look(&scene, before);
    say(scene.own, reason->begin);
    int32_t code = scene_run(&scene, act, 0);
    scene_look(&scene, seen);
    if (act->reads)
        assert_int_equal(code, DRAY_OK);
    else
        expect_line(reason, act->name, code);
    if (strcmp(seen, before) != 0)
        fail_msg("%s: %s: the queue is\n%sand was\n%s", reason->word, act->name, seen, before);
    say(scene.own, reason->end);
    code = scene_run(&scene, act, 0);
    if (code != DRAY_OK || !scene_answered(&scene, act, 0))
        fail_msg("%s is over: %s: %d, %s", reason->word, act->name, code, scene.rig.error.text);
}

static void test_calls(void **state)
{
    (void)state;
    scene_start(&scene, 0);
    break_disk(scene.own, scene.server.folder);
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
    for (size_t i = 0; i < NREASONS; i++) {
        for (unsigned k = 0; k < scene_nacts; k++)
            act_while_stopped(&reasons[i], &scene_acts[k]);
    }
    rig_close(&scene.rig);
    scene_end(&scene);
}

/* With memory at its limit pushes alone are refused, beside others in one turn, too. */
static void act_while_full(const struct act *act)
{
    int pushes = strncmp(act->name, "push", 4) == 0;
    scene_reset(&scene, act);
    scene_look(&scene, before);
    say(scene.own, "CONFIG SET maxmemory 1");
    int32_t code = scene_run(&scene, act, 0);
    say(scene.own, "CONFIG SET maxmemory 0");
    if (code != (pushes || act->mixed ? DRAY_FULL : DRAY_OK))
        fail_msg("memory is full: %s: %d, %s", act->name, code, scene.rig.error.text);
    if (pushes || act->mixed)
        assert_non_null(strstr(scene.rig.error.text, "raise maxmemory"));
    if (!pushes && !scene_answered(&scene, act, 0))
        fail_msg("memory is full: %s is not done", act->name);
    scene_look(&scene, seen);
    if (pushes && strcmp(seen, before) != 0)
        fail_msg("memory is full: %s: the queue is\n%sand was\n%s", act->name, seen, before);
    if (act->mixed && strstr(seen, "pushed state="))
        fail_msg("memory is full: %s has stored its job:\n%s", act->name, seen);
}

static void test_full(void **state)
{
    (void)state;
    scene_start(&scene, 0);
    assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
    for (unsigned k = 0; k < scene_nacts; k++)
        act_while_full(&scene_acts[k]);
    rig_close(&scene.rig);
    scene_end(&scene);
}

/* A store that is known opens, a new one cannot be made. */
static void test_opening(void **state)
{
    (void)state;
    scene_start(&scene, 0);
    break_disk(scene.own, scene.server.folder);
    for (size_t i = 0; i < NREASONS; i++) {
        const struct reason *reason = &reasons[i];
        say(scene.own, "FLUSHALL");
        say(scene.own, reason->begin);
        expect_line(reason, "open", rig_open(&scene.rig, scene.server.socket, 0));
        rig_close(&scene.rig);
        say(scene.own, reason->end);
        assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
        rig_close(&scene.rig);
        say(scene.own, reason->begin);
        assert_int_equal(rig_open(&scene.rig, scene.server.socket, 0), DRAY_OK);
        rig_close(&scene.rig);
        say(scene.own, reason->end);
    }
    scene_end(&scene);
}

/* ---- a worker ---- */

static void test_worker(void **state)
{
    struct node server;
    char connection[100];
    (void)state;
    node_start(&server, 0, "save ''\n");
    snprintf(connection, sizeof(connection), "url: 'redis://127.0.0.1:%d'", server.port);
    redisContext *own = redisConnect("127.0.0.1", server.port);
    assert_true(own && !own->err);
    load_begin(connection);
    load_run(LOAD_BUSY_MS);
    WAIT_FOR(load_has_run(1));
    say(own, reasons[0].begin);
    load_run(STOPPED_MS);
    say(own, reasons[0].end);
    load_expect_work(&server);

    break_disk(own, server.folder);
    say(own, reasons[1].begin);
    load_run(STOPPED_MS);
    mend_disk(own, server.folder);
    load_expect_work(&server);
    load_stop(1); /* nothing that was answered OK is lost */
    load_end();
    redisFree(own);
    node_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_worker),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
