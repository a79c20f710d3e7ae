/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns of many MiB on a real server: what is too large is refused by itself, what is too large
 * only together is done in parts, and nothing beside it suffers. T1, T6, R2.
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

#define MIB ((size_t)1024 * 1024)
#define MOST 64u /* MiB that one call takes */
#define JOBS (MOST + 1)

static struct server server;
static redisContext *own;
static struct rig rig;
static char *large; /* of one MiB */

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

/* Jobs of one MiB each. */
struct cargo {
    char ids[JOBS][16];
    struct dray_job jobs[JOBS];
    const struct dray_job *list[JOBS];
    int32_t answers[JOBS];
    struct dray_push group;
};

static struct cargo *load_up(const char *name, uint32_t n)
{
    struct cargo *cargo = calloc(1, sizeof(*cargo));
    assert_non_null(cargo);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(cargo->ids[i], sizeof(cargo->ids[i]), "%s-%u", name, i);
        cargo->jobs[i] = (struct dray_job){.size = sizeof(cargo->jobs[i]),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = str(cargo->ids[i]),
            .queue = str("q"),
            .type = str("t"),
            .payload = {large, MIB}};
        cargo->list[i] = &cargo->jobs[i];
    }
    cargo->group = (struct dray_push){.size = sizeof(cargo->group),
        .queue = str("q"),
        .jobs = cargo->list,
        .answers = cargo->answers,
        .njobs = n};
    return cargo;
}

static long long ask(const char *command)
{
    redisReply *reply = redisCommand(own, command);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long number = reply->integer;
    freeReplyObject(reply);
    return number;
}

static int begin(void **state)
{
    (void)state;
    server_start(&server, 0);
    own = server_talk(&server);
    large = malloc(MIB);
    assert_non_null(large);
    memset(large, '1', MIB);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    rig.budget_ms = 60000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_close(&rig);
    free(large);
    redisFree(own);
    server_remove(&server);
    return 0;
}

static struct dray_lease lease_of(uint32_t shown)
{
    return (struct dray_lease){.size = sizeof(struct dray_lease),
        .verdict = DRAY_VERDICT_DONE,
        .queue = str("q"),
        .id = str(rig.shown[shown].id),
        .type = str("t"),
        .token = rig.shown[shown].token};
}

/* Other callers' groups and an outcome, in one turn with what is too large. */
static void test_groups(void **state)
{
    struct cargo *full = load_up("full", MOST), *over = load_up("over", MOST + 1);
    struct cargo *more = load_up("more", 1);
    struct dray_push *const groups[] = {&full->group, &over->group, &more->group};
    (void)state;
    assert_int_equal(rig_push(&rig, "first", 0), DRAY_OK);
    assert_int_equal(rig_reserve(&rig, 1, 0, 0), DRAY_OK);
    assert_int_equal(rig.nshown, 1);
    struct dray_lease lease = lease_of(0);
    const struct dray_lease *const leases[] = {&lease};
    int32_t settled = DRAY_UNKNOWN;
    struct dray_turn turn = {.size = sizeof(turn),
        .nsettle = 1,
        .settle = leases,
        .settle_answers = &settled,
        .npush = 3,
        .push = groups};
    assert_int_equal(rig.driver->turn(rig.self, rig_call(&rig), &turn), DRAY_OK);
    assert_int_equal(full->group.code, DRAY_OK);
    assert_int_equal(over->group.code, DRAY_LIMIT);
    assert_non_null(strstr(rig.error.text, "at most 64 MiB at once"));
    assert_int_equal(more->group.code, DRAY_OK);
    assert_int_equal(settled, DRAY_OK);
    assert_int_equal(ask("HLEN {dray:q}:jobs"), MOST + 1);
    assert_int_equal(ask("HSTRLEN {dray:q}:jobs full-63") / (long long)MIB, 1);
    assert_int_equal(ask("EXISTS {dray:q}:leases"), 0);
    free(full);
    free(over);
    free(more);
}

/* Results that are kept. */
static void test_results(void **state)
{
    struct dray_lease leases[RIG_SHOWN];
    const struct dray_lease *list[RIG_SHOWN + 1];
    int32_t answers[RIG_SHOWN + 1];
    char id[16];
    (void)state;
    for (int i = 0; i < RIG_SHOWN; i++) {
        snprintf(id, sizeof(id), "small-%d", i);
        assert_int_equal(rig_push(&rig, id, 0), DRAY_OK);
    }
    assert_int_equal(rig_reserve(&rig, RIG_SHOWN, 0, 0), DRAY_OK);
    assert_int_equal(rig.nshown, RIG_SHOWN);
    for (uint32_t i = 0; i < RIG_SHOWN; i++) {
        leases[i] = lease_of(i);
        leases[i].flags = DRAY_LEASE_KEEP;
        leases[i].result = (struct dray_str){large, MIB};
        list[i] = &leases[i];
        answers[i] = DRAY_UNKNOWN;
    }
    list[RIG_SHOWN] = list[0]; /* one too many, and stale by then */
    struct dray_turn turn = {
        .size = sizeof(turn), .nsettle = RIG_SHOWN + 1, .settle = list, .settle_answers = answers};
    assert_int_equal(rig.driver->turn(rig.self, rig_call(&rig), &turn), DRAY_OK);
    for (uint32_t i = 0; i < RIG_SHOWN; i++)
        assert_int_equal(answers[i], DRAY_OK);
    assert_int_equal(answers[RIG_SHOWN], DRAY_STALE);
    assert_int_equal(ask("ZCARD {dray:q}:done"), RIG_SHOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups, begin, end),
        cmocka_unit_test_setup_teardown(test_results, begin, end),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
