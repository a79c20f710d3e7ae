/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection is cut at each byte of requests and answers, stalls until time is up, delays, and
 * comes a byte at a time. R2, R3, U1, U2, U3: the answer is true, the queue is as it was or as it
 * should be, asking again makes it as it should be, and what comes late does no more.
 *
 * A few offsets of each act; with DRAY_LONG set all of them, and a few of larger batches, which
 * takes some minutes.
 */
#include "redis/proxy.h"
#include "redis/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALL_BUDGET_MS 25
#define PATIENCE_S 60 /* for what should happen at once */

/* What an act does when nobody harms it. */
struct reference {
    char before[SCENE_TEXT], after[SCENE_TEXT], said[SCENE_TEXT];
    uint32_t ready;
    uint64_t len[2]; /* bytes of its requests, of its answers */
};

static struct scene scene;
static struct proxy proxy;
static struct reference wanted;
static char seen[SCENE_TEXT];
static char what[128]; /* the case, for messages */

static int is_long(void)
{
    const char *wish = getenv("DRAY_LONG");
    return wish && *wish;
}

/* ---- comparing ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What was handed out, whatever the order: a replay tells it in another. */
static void sort_lines(char *text)
{
    static char copy[SCENE_TEXT];
    char *lines[SCENE_JOBS];
    size_t n = 0, at = 0;
    memcpy(copy, text, SCENE_TEXT);
    for (char *line = copy; *line && n < SCENE_JOBS; n++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        lines[n] = line;
        line = end + 1;
    }
    qsort(lines, n, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, SCENE_TEXT - at, "%s\n", lines[i]);
}

static void expect_text(const char *name, const char *text, const char *expected)
{
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s is\n%sand should be\n%s", what, name, text, expected);
}

static void expect_line(const struct dray_error *error, int32_t code)
{
    size_t len = strlen(error->text);
    if (error->code != code || !len || strchr(error->text, '\n') || error->text[len - 1] == '.')
        fail_msg("%s: code %d, error %d: \"%s\"", what, code, error->code, error->text);
}

/* ---- one act, harmed once ---- */

/* The answer to the harmed call is true of what is in the queue now. */
static void judge(const struct act *act, int32_t code)
{
    scene_look(&scene, seen);
    int was = strcmp(seen, wanted.before) == 0;
    if (!was)
        expect_text("the queue, harmed,", seen, wanted.after);
    if (code == DRAY_OK) {
        expect_text("the queue, acted on,", seen, wanted.after);
        assert_true(scene_answered(&scene, act, 0));
        return;
    }
    expect_line(&scene.rig.error, code);
    if (code != DRAY_UNKNOWN && !DRAY_IS_NOT_DONE(code))
        fail_msg("%s: code %d", what, code);
    if (act->reads && code == DRAY_UNKNOWN)
        fail_msg("%s: unknown, and it only reads", what);
    if (DRAY_IS_NOT_DONE(code) && !was)
        fail_msg("%s: done, and the answer is \"%s\"", what, scene.rig.error.text);
}

static void nap(void)
{
    struct timespec ts = {0, 3000000};
    nanosleep(&ts, NULL);
}

/* As a client does: the same again until the answer is clear. */
static void ask_again(const struct act *act, int unclear)
{
    int32_t code = DRAY_BUSY;
    time_t end = time(NULL) + PATIENCE_S;
    while (code != DRAY_OK && time(NULL) < end) {
        code = scene_run(&scene, act, unclear);
        if (code == DRAY_OK)
            break;
        /* BUSY: no answer in time to what the driver asks when it connects. */
        if (code != DRAY_UNREACHABLE && code != DRAY_BUSY)
            fail_msg("%s: then code %d, %s", what, code, scene.rig.error.text);
        nap(); /* until the driver connects again */
    }
    if (code != DRAY_OK || !scene_answered(&scene, act, unclear))
        fail_msg("%s: then code %d, answers %d ...", what, code, scene.answers[0]);
}

static void expect_done(void)
{
    scene_look(&scene, seen);
    expect_text("the queue", seen, wanted.after);
    sort_lines(scene.said);
    expect_text("what was handed out", scene.said, wanted.said);
}

static void expect_all_there(void)
{
    uint32_t n = scene_drain(&scene);
    if (n != wanted.ready)
        fail_msg("%s: %u jobs were ready, and %u should be", what, n, wanted.ready);
}

/* `rig` is connected, so that what it sends next is the act itself; and opened anew, so that it
   takes the same way to it each time. */
static void connect(void)
{
    time_t end = time(NULL) + PATIENCE_S;
    rig_close(&scene.rig);
    while (rig_open(&scene.rig, proxy.listens, 0) != DRAY_OK && time(NULL) < end) {
        rig_close(&scene.rig);
        nap();
    }
}

static void measure(const struct act *act)
{
    snprintf(what, sizeof(what), "%s", act->name);
    connect();
    scene_reset(&scene, act);
    scene_look(&scene, wanted.before);
    proxy_set(&proxy, PROXY_NONE, PROXY_REQUEST, 0);
    int32_t code = scene_run(&scene, act, 0);
    if (code != DRAY_OK || !scene_answered(&scene, act, 0))
        fail_msg("%s: code %d, %s", what, code, scene.rig.error.text);
    wanted.len[0] = proxy_passed(&proxy, PROXY_REQUEST);
    wanted.len[1] = proxy_passed(&proxy, PROXY_REPLY);
    scene_look(&scene, wanted.after);
    sort_lines(scene.said);
    memcpy(wanted.said, scene.said, sizeof(wanted.said));
    wanted.ready = scene_drain(&scene);
}

/* Whether it came to the harm. The driver may have given up before the proxy was given time to run,
   or, on a busy machine, before so many bytes were on their way; or all went well, for there were
   fewer bytes this time. */
static int has_fired(enum proxy_harm kind, int32_t code)
{
    time_t end = time(NULL) + PATIENCE_S;
    while (kind != PROXY_SPLIT && !proxy_fired(&proxy)) {
        if ((code == DRAY_OK || !proxy_clients(&proxy)) && !proxy_fired(&proxy))
            return 0;
        if (time(NULL) >= end)
            fail_msg("%s: never came to that", what);
        nap();
    }
    return 1;
}

/* A stall ends the call by its budget: by the first one that lets it come to the stall. */
static int32_t run_harmed(
    const struct act *act, enum proxy_harm kind, enum proxy_side side, uint64_t at)
{
    for (uint32_t budget_ms = STALL_BUDGET_MS; budget_ms < 20000; budget_ms *= 2) {
        scene_reset(&scene, act);
        scene.rig.budget_ms = kind == PROXY_STALL ? budget_ms : 0;
        proxy_set(&proxy, kind, side, at);
        int32_t code = scene_run(&scene, act, 0);
        if (has_fired(kind, code))
            return code;
        /* An age or a run time has fewer digits than when its answer was measured. */
        uint64_t len = proxy_passed(&proxy, side);
        if (code == DRAY_OK && at >= len)
            at = len ? len - 1 : 0;
        scene.rig.budget_ms = 0;
        proxy_set(&proxy, PROXY_NONE, PROXY_REQUEST, 0);
        connect(); /* nothing of that call comes late */
    }
    fail_msg("%s: never came to that", what);
    return DRAY_UNKNOWN;
}

/* The answer to the harmed call. */
static int32_t harm(const struct act *act, enum proxy_harm kind, enum proxy_side side, uint64_t at)
{
    static const char *const kinds[] = {"", "cut", "stalled", "delayed", "split"};
    snprintf(what, sizeof(what), "%s, %s at %s byte %llu", act->name, kinds[kind],
        side == PROXY_REQUEST ? "request" : "reply", (unsigned long long)at);
    int32_t code = run_harmed(act, kind, side, at);
    if (kind > PROXY_STALL && code != DRAY_OK)
        fail_msg("%s: code %d, %s", what, code, scene.rig.error.text);
    judge(act, code);
    scene.rig.budget_ms = 0;
    proxy_set(&proxy, PROXY_NONE, PROXY_REQUEST, 0);
    if (code != DRAY_OK)
        ask_again(act, code == DRAY_UNKNOWN);
    expect_done();
    if (kind == PROXY_STALL) {
        proxy_release(&proxy);
        connect(); /* the server has read by now what came late */
        scene_look(&scene, seen);
        expect_text("the queue, some time later,", seen, wanted.after);
    }
    expect_all_there();
    return code;
}

/* ---- the tests ---- */

static void start(void)
{
    char path[96];
    scene_start(&scene, 0);
    snprintf(path, sizeof(path), "%.60s/proxy", scene.server.folder);
    assert_int_equal(proxy_start(&proxy, path, scene.server.socket), 0);
    assert_int_equal(rig_open(&scene.rig, proxy.listens, 0), DRAY_OK);
}

static void end(void)
{
    rig_close(&scene.rig);
    proxy_stop(&proxy);
    scene_end(&scene);
}

#define ALL UINT64_MAX

/* How far from one offset to the next: all near the ends, `few` in between; another choice with
   each run. */
static uint64_t stride(uint64_t at, uint64_t len, uint64_t few)
{
    if (few == ALL || at < 4 || at + 4 >= len)
        return 1;
    uint64_t most = len / few + 1;
    uint64_t step = 1 + (uint64_t)random() % (2 * most - 1);
    return at + step + 4 < len ? step : len - 4 - at;
}

static void at_offsets(const struct act *act, enum proxy_harm kind, uint64_t few)
{
    for (int side = 0; side < 2; side++) {
        uint64_t len = wanted.len[side];
        for (uint64_t at = 0; at <= len; at += stride(at, len, few)) {
            /* Nothing is left to be kept. */
            if (kind != PROXY_CUT && at == len)
                continue;
            connect();
            harm(act, kind, (enum proxy_side)side, at);
        }
    }
}

static void test_cut(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < scene_nacts; i++) {
        measure(&scene_acts[i]);
        at_offsets(&scene_acts[i], PROXY_CUT, is_long() ? ALL : 12);
    }
    scene.n = 40;
    for (unsigned i = 0; is_long() && i < scene_nacts; i++) {
        measure(&scene_acts[i]);
        at_offsets(&scene_acts[i], PROXY_CUT, 100);
    }
    end();
}

static void test_stalled(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < scene_nacts; i++) {
        measure(&scene_acts[i]);
        for (int side = 0; side < 2; side++) {
            uint64_t len = wanted.len[side];
            for (uint64_t at = (uint64_t)random() % 40; at < len; at += is_long() ? 29 : len / 2) {
                connect();
                harm(&scene_acts[i], PROXY_STALL, (enum proxy_side)side, at);
            }
        }
    }
    end();
}

static void test_slow(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < scene_nacts; i++) {
        const struct act *act = &scene_acts[i];
        measure(act);
        connect();
        harm(act, PROXY_SPLIT, PROXY_REQUEST, 0);
        for (int side = 0; side < 2; side++) {
            connect();
            harm(act, PROXY_DELAY, (enum proxy_side)side, (uint64_t)random() % wanted.len[side]);
        }
    }
    end();
}

/* While it connects: the act itself has not left yet. */
static void test_greeting(void **state)
{
    const struct act *act = &scene_acts[1];
    (void)state;
    start();
    measure(act);
    uint64_t act_len[2] = {wanted.len[0], wanted.len[1]}, all[2];
    proxy_cut_all(&proxy);
    proxy_set(&proxy, PROXY_NONE, PROXY_REQUEST, 0);
    scene_reset(&scene, act);
    assert_int_equal(scene_run(&scene, act, 0), DRAY_OK);
    all[0] = proxy_passed(&proxy, PROXY_REQUEST);
    all[1] = proxy_passed(&proxy, PROXY_REPLY);
    for (int side = 0; side < 2; side++) {
        uint64_t len = all[side] - act_len[side];
        assert_true(all[side] > act_len[side]);
        for (uint64_t at = 0; at < len; at += is_long() ? 61 : stride(at, len, 12)) {
            connect();
            proxy_cut_all(&proxy);
            int32_t code = harm(act, PROXY_CUT, (enum proxy_side)side, at);
            if (!DRAY_IS_NOT_DONE(code))
                fail_msg("%s: code %d", what, code);
        }
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_greeting),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srandom(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
