/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver on real servers that are killed, forget scripts, drop connections and run out of
 * memory. D2, F4, U1, U3, L3.
 */
#include "redis/page.h"
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
#include <time.h>

/* What a client does with an unclear or refused call: the same again, until a definite answer. */
#define TRIES 6000

static void pause_ms(long ms)
{
    struct timespec ts = {0, ms * 1000000};
    nanosleep(&ts, NULL);
}

static void push_surely(struct rig *rig, const char *id)
{
    uint32_t flags = 0;
    for (int i = 0; i < TRIES; i++) {
        int32_t code = rig_push(rig, id, flags);
        if (code == DRAY_OK || code == DRAY_EXISTS)
            return;
        if (code == DRAY_UNKNOWN)
            flags = DRAY_PUSH_RESEND;
        else
            assert_true(DRAY_IS_NOT_DONE(code));
        pause_ms(5);
    }
    fail_msg("%s", rig->error.text);
}

/* One job, handed out; 0 if there is none. */
static int take_surely(struct rig *rig)
{
    uint64_t nonce = ++rig->nonce;
    uint32_t flags = 0;
    for (int i = 0; i < TRIES; i++) {
        int32_t code = rig_reserve(rig, 1, flags, nonce);
        if (code == DRAY_OK)
            return (int)rig->nshown;
        if (code == DRAY_UNKNOWN)
            flags = DRAY_RESERVE_REPLAY;
        pause_ms(5);
    }
    fail_msg("%s", rig->error.text);
    return 0;
}

static void ack_surely(struct rig *rig)
{
    int unclear = 0;
    for (int i = 0; i < TRIES; i++) {
        int32_t code = rig_ack(rig, 0);
        if (code == DRAY_OK || (code == DRAY_STALE && unclear))
            return;
        assert_true(code == DRAY_UNKNOWN || DRAY_IS_NOT_DONE(code));
        unclear |= code == DRAY_UNKNOWN;
        pause_ms(5);
    }
    fail_msg("%s", rig->error.text);
}

static void say(redisContext *context, const char *command)
{
    redisReply *reply = redisCommand(context, command);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
}

/* Takes what is left; each of the `n` jobs "jN" must come once, except those that are `gone`. */
static void expect_each_once(struct rig *rig, unsigned n, const unsigned char *gone)
{
    unsigned char seen[512] = {0};
    while (take_surely(rig)) {
        unsigned number = n;
        assert_int_equal(sscanf(rig->shown[0].id, "j%u", &number), 1);
        assert_true(number < n);
        seen[number]++;
        ack_surely(rig);
    }
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(seen[i], !gone[i]);
    assert_int_equal(rig_live(rig), 0);
}

/* Pushes and acks with something done to the server now and then. */
static void work_under(struct rig *rig, unsigned n, void (*harm)(void *user), void *user)
{
    unsigned char gone[512] = {0};
    char id[16];
    for (unsigned i = 0; i < n; i++) {
        if (i % 10 == 9)
            harm(user);
        snprintf(id, sizeof(id), "j%u", i);
        push_surely(rig, id);
        if (i % 3 == 0 && take_surely(rig)) {
            unsigned number = 0;
            assert_int_equal(sscanf(rig->shown[0].id, "j%u", &number), 1);
            assert_int_equal(gone[number]++, 0);
            assert_int_equal(rig->shown[0].attempts, 1);
            ack_surely(rig);
        }
    }
    expect_each_once(rig, n, gone);
}

static void kill_and_restart(void *user)
{
    server_kill(user);
    server_restart(user);
}

static void test_killed(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 1);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig.call.durability, DRAY_DURABILITY_HOST);
    work_under(&rig, 80, kill_and_restart, &server);
    rig_close(&rig);
    server_remove(&server);
}

static void flush_scripts(void *user)
{
    say(user, "SCRIPT FLUSH");
}

static void kill_clients(void *user)
{
    say(user, "CLIENT KILL TYPE normal SKIPME yes");
}

static void test_forgetful(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig.call.durability, DRAY_DURABILITY_VOLATILE);
    redisContext *own = server_talk(&server);
    work_under(&rig, 400, flush_scripts, own);
    /* A forgotten script is no reason to fail a call. */
    say(own, "SCRIPT FLUSH");
    assert_int_equal(rig_push(&rig, "once", 0), DRAY_OK);
    assert_int_equal(take_surely(&rig), 1);
    ack_surely(&rig);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

static void test_dropped(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    redisContext *own = server_talk(&server);
    work_under(&rig, 400, kill_clients, own);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

/* An id that ended is remembered for those who were not told. */
static void test_resent(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);
    assert_int_equal(take_surely(&rig), 1);
    ack_surely(&rig);
    assert_int_equal(rig_push(&rig, "a", DRAY_PUSH_RESEND), DRAY_EXISTS);
    assert_int_equal(rig_live(&rig), 0);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);
    rig_close(&rig);
    server_remove(&server);
}

/* With memory at its limit pushes hear of it, and what is there can be worked off. */
static void test_full(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "j0", 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "j1", 0), DRAY_OK);
    redisContext *own = server_talk(&server);
    say(own, "CONFIG SET maxmemory 1");
    assert_int_equal(rig_push(&rig, "j2", 0), DRAY_FULL);
    kill_clients(own);
    assert_int_equal(rig_push(&rig, "j2", 0), DRAY_FULL);
    expect_each_once(&rig, 2, (unsigned char[2]){0});
    say(own, "CONFIG SET maxmemory 0");
    assert_int_equal(rig_push(&rig, "j2", 0), DRAY_OK);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

static void expect_refused(struct server *server, redisContext *own, const char *command,
    const char *undo, const char *reason)
{
    struct rig rig;
    say(own, command);
    assert_int_equal(rig_open(&rig, server->socket, 0), DRAY_UNSUPPORTED);
    if (!strstr(rig.error.text, reason))
        fail_msg("%s", rig.error.text);
    rig_close(&rig);
    say(own, undo);
}

/* What the layout before has, a job that waits and one that runs, is worked off; who comes later
   finds the layout of now. */
static void test_layout_before(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "running", 0), DRAY_OK);
    assert_int_equal(take_surely(&rig), 1);
    const struct dray_token token = rig.shown[0].token;
    struct dray_lease lease = {.size = sizeof(lease),
        .queue = {"q", 1},
        .id = {"running", 7},
        .type = {"t", 1},
        .token = token,
        .lease_ms = 60000};
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    /* A renewed one has a lease and a state of its own, as all had. */
    assert_int_equal(
        rig.driver->extend(rig.self, rig_call(&rig), leases, &answer, 1) | answer, DRAY_OK);
    assert_int_equal(rig_push(&rig, "waiting", 0), DRAY_OK);
    rig_close(&rig);
    say(own, "DEL {dray:q}:batches {dray:q}:ending");
    say(own, "HDEL {dray:q}:meta begun ending");
    say(own, "HSET {dray:q}:meta layout 1");
    say(own, "SET {dray}:layout 1");
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    redisReply *reply = redisCommand(own, "GET {dray}:layout");
    assert_string_equal(reply->str, "2");
    freeReplyObject(reply);
    assert_int_equal(rig_live(&rig), 2);
    assert_int_equal(take_surely(&rig), 1);
    assert_string_equal(rig.shown[0].id, "waiting");
    assert_int_equal(rig_ack(&rig, 0), DRAY_OK);
    lease.verdict = DRAY_VERDICT_DONE;
    assert_int_equal(
        rig.driver->ack(rig.self, rig_call(&rig), leases, &answer, 1) | answer, DRAY_OK);
    assert_int_equal(rig_live(&rig), 0);
    reply = redisCommand(own, "HGET {dray:q}:meta layout");
    assert_string_equal(reply->str, "2");
    freeReplyObject(reply);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

static void test_unfit(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    expect_refused(&server, own, "CONFIG SET maxmemory-policy allkeys-lru",
        "CONFIG SET maxmemory-policy noeviction", "noeviction");
    expect_refused(&server, own, "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica");
    expect_refused(&server, own, "SET {dray}:layout 3", "DEL {dray}:layout", "layout 2");
    say(own, "ACL SETUSER default resetpass >x");
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_DENIED);
    rig_close(&rig);
    assert_int_equal(rig_open(&rig, "/nonexistent/socket", 0), DRAY_UNREACHABLE);
    rig_close(&rig);
    redisFree(own);
    server_remove(&server);
}

static int32_t push_to(struct rig *rig, const char *queue, uint64_t delay_ms)
{
    struct dray_str name = {queue, strlen(queue)};
    struct dray_job job = {.size = sizeof(job),
        .priority = DRAY_PRIORITY_NORMAL,
        .id = {"a", 1},
        .queue = name,
        .type = {"t", 1},
        .payload = {"1", 1},
        .delay_ms = delay_ms};
    const struct dray_job *jobs[] = {&job};
    int32_t answer = DRAY_OK;
    struct dray_push group = {
        .size = sizeof(group), .queue = name, .jobs = jobs, .answers = &answer, .njobs = 1};
    int32_t code = rig->driver->push(rig->self, rig_call(rig), &group);
    return code == DRAY_OK ? answer : code;
}

/* A digest of all that the server holds; the caller frees it. */
static redisReply *digest_of(redisContext *own)
{
    static const char script[] =
        "local keys, all = redis.call('KEYS', '*'), '' table.sort(keys) for _, key in ipairs(keys) "
        "do all = all .. key .. redis.call('DUMP', key) end return redis.sha1hex(all)";
    redisReply *reply = redisCommand(own, "EVAL %s 0", script);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    return reply;
}

/* A queue that a newer Dray has been in is left alone, whatever is asked; the others go on. */
static void test_newer_queue(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "b", 0), DRAY_OK);
    assert_int_equal(take_surely(&rig), 1);
    say(own, "HSET {dray:q}:meta layout 3");
    redisReply *before = digest_of(own);
    for (int i = 0; i < 4; i++) {
        int32_t code = i == 0   ? rig_push(&rig, "c", 0)
                       : i == 1 ? rig_reserve(&rig, 1, 0, 0)
                       : i == 2 ? rig_ack(&rig, 0)
                                : rig_push(&rig, "a", DRAY_PUSH_RESEND);
        if (code != DRAY_UNSUPPORTED || !strstr(rig.error.text, "{dray:q}:meta has layout 3") ||
            !strstr(rig.error.text, "a newer Dray wrote it; update this one"))
            fail_msg("call %d: %d, %s", i, code, rig.error.text);
    }
    redisReply *after = digest_of(own);
    assert_string_equal(after->str, before->str);
    freeReplyObject(before);
    freeReplyObject(after);
    assert_int_equal(push_to(&rig, "other", 0), DRAY_OK);
    say(own, "HSET {dray:q}:meta layout 2");
    assert_int_equal(rig_ack(&rig, 0), DRAY_OK);
    assert_int_equal(rig_live(&rig), 1);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

/* Its next command, with the plus, into `right`; 0: no more. */
static int next_right(const char **line, char *right, size_t size)
{
    for (;;) {
        *line += strspn(*line, " \n");
        size_t len = strcspn(*line, " \n");
        snprintf(right, size, "%.*s", (int)len, *line);
        *line += len;
        if (!len || right[0] == '+')
            return len > 0;
    }
}

/* Whether a script would be stopped halfway without it: the others are asked for outside. */
static int is_of_scripts(const char *right)
{
    static const char *const others[] = {
        "+auth", "+select", "+info", "+evalsha", "+subscribe", "+script|load"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(right, others[i]) == 0)
            return 0;
    }
    return strncmp(right, "+client|", 8) != 0 && strncmp(right, "+config|", 8) != 0;
}

static void expect_missed(struct server *server, redisContext *own, const char *right)
{
    struct rig rig;
    char command[100];
    snprintf(command, sizeof(command), "ACL SETUSER default -%s", right + 1);
    say(own, command);
    int32_t code = rig_open(&rig, server->socket, 0);
    if (code != DRAY_DENIED || !strcasestr(rig.error.text, right + 1))
        fail_msg("without %s: %d, %s", right, code, rig.error.text);
    rig_close(&rig);
    snprintf(command, sizeof(command), "ACL SETUSER default %s", right);
    say(own, command);
}

/* Who may not do all that scripts do is told so before any of it is done. */
static void test_rights(void **state)
{
    struct server server;
    struct rig rig;
    char line[1000], right[64];
    int n = 0;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    rig_close(&rig);
    page_line("ACL SETUSER dray on", line, (int)sizeof(line));
    for (const char *at = line; next_right(&at, right, sizeof(right));) {
        if (!is_of_scripts(right))
            continue;
        expect_missed(&server, own, right);
        n++;
    }
    assert_true(n > 30);
    redisReply *keys = redisCommand(own, "KEYS *");
    assert_int_equal(keys->elements, 1); /* the layout; nothing was left behind */
    freeReplyObject(keys);
    redisFree(own);
    server_remove(&server);
}

/* By keys and channels: those of the prefix are there, those of its queue are not. */
static void test_rights_to_names(void **state)
{
    static const struct {
        const char *rule, *piece;
    } cases[] = {
        {"resetchannels &{dray}:bell", "may not PUBLISH {dray:q}:bell;"},
        {"resetkeys ~{dray}:*", "may not DEL {dray:q}:none, EXISTS {dray:q}:none, "},
        {"resetkeys ~{dray:q}:*", "may not GET or SET {dray}:layout;"},
        {"resetkeys ~{dray}:* ~{dray:q}:[a-k]* ~{dray:q}:[m-z]*",
            "may not EXISTS {dray:q}:leases, ZADD {dray:q}:leases,"},
        {"resetkeys %%R~* %%W~{dray}:* %%W~{dray:q}:[a-t]*",
            "may not HDEL {dray:q}:unique, HINCRBY {dray:q}:meta, HSET"},
    };
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    say(own, "SET {dray}:layout 2");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char command[200];
        snprintf(command, sizeof(command), "ACL SETUSER default %s", cases[i].rule);
        say(own, command);
        int32_t code = rig_open(&rig, server.socket, 0);
        if (code != DRAY_DENIED || !strstr(rig.error.text, cases[i].piece))
            fail_msg("%s: %d, %s", cases[i].rule, code, rig.error.text);
        assert_non_null(strstr(rig.error.text, "docs/deployment.md"));
        rig_close(&rig);
        say(own, "ACL SETUSER default resetkeys allkeys allchannels");
    }
    say(own, "ACL SETUSER default resetkeys ~{dray}:* ~{dray:q}:* resetchannels &{dray:q}:*");
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);
    rig_close(&rig);
    redisFree(own);
    server_remove(&server);
}

/* In another queue than the one that is configured nobody can be woken: nothing is stored there. */
static void test_right_to_another_bell(void **state)
{
    struct server server;
    struct rig rig;
    (void)state;
    server_start(&server, 0);
    redisContext *own = server_talk(&server);
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    assert_int_equal(push_to(&rig, "other", 3600000), DRAY_OK);
    say(own, "DEL {dray:other}:jobs {dray:other}:state {dray:other}:delayed");
    rig_close(&rig);
    say(own, "ACL SETUSER default resetchannels &{dray:q}:*");
    assert_int_equal(rig_open(&rig, server.socket, 0), DRAY_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(push_to(&rig, "other", 0), DRAY_DENIED);
        assert_non_null(strstr(rig.error.text, "may not PUBLISH {dray:other}:bell"));
    }
    redisReply *jobs = redisCommand(own, "EXISTS {dray:other}:jobs {dray:other}:ready5");
    assert_int_equal(jobs->integer, 0);
    freeReplyObject(jobs);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);
    redisFree(own);
    rig_close(&rig);
    server_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_forgetful),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_resent),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_layout_before),
        cmocka_unit_test(test_newer_queue),
        cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_rights_to_names),
        cmocka_unit_test(test_right_to_another_bell),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
