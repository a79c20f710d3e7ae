/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes on a real server: which script of the driver each takes, and that the short one does what
 * the other would. T1, T2, T3, T4, U1, R2, R3, L2.
 */
#include "redis/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

static struct batch batch, other;

static struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

/* ---- what it stores ---- */

/* Groups with all that a plain job can have of its own. */
static void vary(struct batch *b, unsigned kind)
{
    static char big[1024 * 1024];
    struct dray_job *job = b->jobs;
    for (uint32_t i = 0; i < b->push.njobs; i++)
        job[i].priority = kind % 10;
    if (kind % 2 == 0) {
        job[0].name = str("a name");
        job[0].group = str("group");
        job[0].timeout_ms = 123456789;
    }
    if (kind % 3 == 0) {
        job[0].max_attempts = UINT32_MAX;
        job[0].timeout_ms = UINT64_MAX;
    }
    if (kind % 4 == 0 && b->push.njobs > 1)
        job[1].type = str("another.type");
    if (kind == 9) {
        memset(big, '1', sizeof(big));
        job[0].payload = (struct dray_str){big, sizeof(big)};
        job[0].type = str("0123456789012345678901234567890123456789012345678901234567890123");
    }
}

/* The server's time, within a minute. */
static void expect_created(const char *what, const char *content, long long now_ms)
{
    long long created = 0;
    for (int i = 0; i < 6; i++)
        created = created << 8 | (unsigned char)content[i];
    if (created > now_ms || created < now_ms - 60000)
        fail_msg("%s: created at %lld, and it is %lld", what, created, now_ms);
}

static long long server_ms(void)
{
    redisReply *reply = ways_ask("TIME");
    long long ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                   strtoll(reply->element[1]->str, NULL, 10) / 1000;
    freeReplyObject(reply);
    return ms;
}

/* Everything but creation times is the same in both queues. */
static void compare(const char *what, const struct batch *b)
{
    long long now_ms = server_ms();
    for (uint32_t i = 0; i < b->push.njobs; i++) {
        redisReply *one = ways_ask("HGET {dray:q}:jobs %s", b->ids[i]);
        redisReply *two = ways_ask("HGET {dray:r}:jobs %s", b->ids[i]);
        if (one->type != REDIS_REPLY_STRING || two->type != REDIS_REPLY_STRING ||
            one->len != two->len || memcmp(one->str + 6, two->str + 6, one->len - 6) != 0)
            fail_msg("%s: job %s is stored in another way", what, b->ids[i]);
        expect_created(what, one->str, now_ms);
        expect_created(what, two->str, now_ms);
        freeReplyObject(one);
        freeReplyObject(two);
    }
    redisReply *same = ways_ask("EVAL %s 0",
        "local function all(q, key) return cmsgpack.pack(redis.call(key[1], '{dray:' .. q .. "
        "'}:' .. key[2], unpack(key, 3))) end "
        "local keys = {{'ZCARD', 'delayed'}, {'HLEN', 'state'}, {'HLEN', 'jobs'}, "
        "{'HLEN', 'unique'}, {'HGET', 'totals', 'pushed:t'}, "
        "{'HGET', 'totals', 'pushed:another.type'}, {'HLEN', 'totals'}} "
        "for i = 0, 9 do keys[#keys + 1] = {'LRANGE', 'ready' .. i, '0', '-1'} end "
        "for _, key in ipairs(keys) do if all('q', key) ~= all('r', key) then "
        "return key[1] .. ' ' .. key[2] end end return 'same'");
    if (strcmp(same->str, "same") != 0)
        fail_msg("%s: %s differs", what, same->str);
    freeReplyObject(same);
}

/* The same groups to two queues: one by the short script; one with a capacity, so by the other. */
static void test_same(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "r", "warm", 1);
    ways_push(&batch, "a queue that is new", DRAY_OK, "att");
    ways_say("DEL {dray:r}:jobs {dray:r}:ready5 {dray:r}:totals {dray:q}:totals");
    for (unsigned kind = 0; kind < 10; kind++) {
        char what[32], id[16];
        snprintf(what, sizeof(what), "group %u", kind);
        snprintf(id, sizeof(id), "%c", 'a' + (int)kind);
        ways_fill(&batch, "q", id, 1 + kind % 3);
        ways_fill(&other, "r", id, 1 + kind % 3);
        vary(&batch, kind);
        vary(&other, kind);
        other.push.capacity = 1000000;
        ways_push(&batch, what, DRAY_OK, "a");
        ways_push(&other, what, DRAY_OK, "t");
        compare(what, &batch);
    }
    ways_end();
}

/* As many as go into one push, under the shortest and the longest ids; and one more. */
static void test_most(void **state)
{
    static char seen[WAYS_MOST + 1][DRAY_NAME_MAX + 1];
    static const char longest[] = "012345678901234567890123456789012345678901234567890123456789";
    (void)state;
    ways_start();
    for (size_t k = 0; k < 2; k++) {
        ways_fill(&batch, "q", "x", WAYS_MOST);
        for (uint32_t i = 0; i < WAYS_MOST; i++) { /* each of another type than its neighbours */
            char *id = batch.ids[i];
            int len = k == 0 ? snprintf(id, DRAY_NAME_MAX + 1, "%u", i)
                             : snprintf(id, DRAY_NAME_MAX + 1, "%s%04u", longest, i);
            batch.jobs[i].id = (struct dray_str){id, (uint64_t)len};
            batch.jobs[i].type = str(i % 2 ? "odd" : "even");
        }
        ways_push(&batch, "the most", DRAY_OK, "a");
        assert_int_equal(ways_number("HGET {dray:q}:totals pushed:odd"), (k + 1) * WAYS_MOST / 2);
        assert_int_equal(ways_drain(seen, WAYS_MOST), WAYS_MOST);
        for (uint32_t i = 0; i < WAYS_MOST; i++)
            assert_string_equal(seen[i], batch.ids[i]);
    }
    ways_fill(&batch, "q", "y", WAYS_MOST + 1);
    (void)ways_send(&batch);
    assert_int_equal(batch.push.code, DRAY_LIMIT);
    ways_expect("one more than the most", "");
    assert_int_equal(rig_live(&ways.rig), 0);
    ways_end();
}

/* ---- who goes by which ---- */

static void with_unique(struct batch *b)
{
    b->jobs[1].unique = str("key");
}

static void with_delay(struct batch *b)
{
    b->jobs[1].delay_ms = HOUR_MS;
}

static void with_schedule(struct batch *b)
{
    b->jobs[1].run_at_ms = INT64_MAX / 2;
}

static void with_priorities(struct batch *b)
{
    b->jobs[1].priority = 0;
}

static void as_resent(struct batch *b)
{
    b->push.flags = DRAY_PUSH_RESEND;
}

static void as_restored(struct batch *b)
{
    b->push.flags = DRAY_PUSH_RESTORE;
    b->jobs[1].state = DRAY_STATE_DEAD;
    b->jobs[1].ended_ms = 1000000;
}

static void with_capacity(struct batch *b)
{
    b->push.capacity = 2;
}

/* Whatever of a push the short script knows nothing of. */
static void test_not_plain(void **state)
{
    static const struct {
        const char *name;
        void (*bend)(struct batch *b);
        const char *command; /* and what it says afterwards */
        long long number;
    } cases[] = {{"unique", with_unique, "EXISTS {dray:q}:unique", 1},
        {"delay", with_delay, "ZCARD {dray:q}:delayed", 1},
        {"schedule", with_schedule, "ZCARD {dray:q}:delayed", 1},
        {"priorities", with_priorities, "LLEN {dray:q}:ready0", 1},
        {"resent", as_resent, "LLEN {dray:q}:ready5", 2},
        {"restored", as_restored, "ZCARD {dray:q}:dead", 1},
        {"capacity", with_capacity, "LLEN {dray:q}:ready5", 2}};
    (void)state;
    ways_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ways_fill(&batch, "q", "j", 2);
        cases[i].bend(&batch);
        ways_push(&batch, cases[i].name, DRAY_OK, "t");
        if (ways_number(cases[i].command) != cases[i].number)
            fail_msg("%s: %s is another", cases[i].name, cases[i].command);
        ways_say("DEL {dray:q}:jobs {dray:q}:state {dray:q}:unique {dray:q}:delayed {dray:q}:dead "
                 "{dray:q}:ready0 {dray:q}:ready5");
    }
    ways_fill(&batch, "q", "k", 3);
    with_capacity(&batch);
    ways_push(&batch, "over the capacity", DRAY_FULL, "t");
    assert_int_equal(rig_live(&ways.rig), 0);
    ways_end();
}

static void expect_turn(const char *what, struct dray_turn *turn, int64_t live, const char *way)
{
    turn->size = sizeof(*turn);
    if (ways.rig.driver->turn(ways.rig.self, rig_call(&ways.rig), turn) != DRAY_OK)
        fail_msg("%s: %s", what, ways.rig.error.text);
    ways_expect(what, way);
    assert_int_equal(rig_live(&ways.rig), live);
}

/* Several groups, and a push beside something else. */
static void test_turns(void **state)
{
    struct dray_push *groups[] = {&batch.push, &other.push};
    struct dray_str queue = str("q");
    struct dray_reserve want = {.size = sizeof(want),
        .max = 1,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 60000,
        .nonce = 77,
        .owner = str("host:1")};
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = DRAY_VERDICT_DONE,
        .lease_ms = 60000,
        .queue = queue,
        .type = str("t")};
    const struct dray_lease *leases[] = {&lease};
    int32_t answers[] = {DRAY_OK};
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "a", 2);
    ways_fill(&other, "q", "b", 2);
    expect_turn("two groups", &(struct dray_turn){.npush = 2, .push = groups}, 4, "a");
    ways_fill(&batch, "q", "c", 2);
    ways.rig.nshown = 0;
    expect_turn("a push and a reserve",
        &(struct dray_turn){.npush = 1, .push = groups, .reserve = &want}, 6, "p");
    assert_int_equal(ways.rig.nshown, 1);
    lease.id = str(ways.rig.shown[0].id);
    lease.token = ways.rig.shown[0].token;
    ways_fill(&batch, "q", "d", 2);
    expect_turn("a push and a renewal",
        &(struct dray_turn){
            .npush = 1, .push = groups, .nextend = 1, .extend = leases, .extend_answers = answers},
        8, "t");
    ways_fill(&batch, "q", "e", 2);
    expect_turn("a push and an outcome",
        &(struct dray_turn){
            .npush = 1, .push = groups, .nsettle = 1, .settle = leases, .settle_answers = answers},
        9, "pt"); /* the renewed one no longer shares its lease */
    assert_int_equal(answers[0], DRAY_OK);
    ways_fill(&batch, "q", "f", 0);
    ways_push(&batch, "an empty group", DRAY_OK, "t");
    ways_end();
}

/* ---- what the short script leaves to the other ---- */

static void expect_there(const char *what)
{
    ways_fill(&batch, "q", "new", 2);
    batch.jobs[1].id = str("job0");
    ways_push(&batch, what, DRAY_OK, "at");
    assert_int_equal(batch.answers[0], DRAY_OK);
    assert_int_equal(batch.answers[1], DRAY_EXISTS);
    ways_fill(&batch, "q", "other", 2);
    batch.jobs[1].id = str("job0");
    batch.jobs[1].payload = str("2");
    ways_push(&batch, what, DRAY_CONFLICT, "at");
    assert_int_equal(batch.answers[1], DRAY_CONFLICT);
    assert_int_equal(ways_number("HEXISTS {dray:q}:jobs other0"), 0);
    assert_int_equal(ways_number("HLEN {dray:q}:jobs"), 2);
    ways_say("HDEL {dray:q}:jobs new0");
    ways_say("LREM {dray:q}:ready5 0 new0");
}

static int32_t settle(uint32_t verdict, uint32_t flags, uint64_t delay_ms)
{
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = verdict,
        .flags = flags,
        .queue = str("q"),
        .id = str("job0"),
        .type = str("t"),
        .token = ways.rig.shown[0].token,
        .delay_ms = delay_ms};
    const struct dray_lease *leases[] = {&lease};
    int32_t answer = DRAY_OK;
    int32_t code = (verdict == DRAY_VERDICT_DONE ? ways.rig.driver->ack : ways.rig.driver->retry)(
        ways.rig.self, rig_call(&ways.rig), leases, &answer, 1);
    ways_forget();
    return code == DRAY_OK ? answer : code;
}

static void change(uint32_t what)
{
    struct dray_str id = str("job0");
    int32_t answer = DRAY_OK;
    struct dray_change change = {.size = sizeof(change),
        .what = what,
        .nids = what < DRAY_CHANGE_PAUSE,
        .queue = str("q"),
        .ids = &id,
        .answers = &answer};
    assert_int_equal(ways.rig.driver->change(ways.rig.self, rig_call(&ways.rig), &change), DRAY_OK);
    assert_int_equal(answer, DRAY_OK);
    ways_forget();
}

static void take_job(void)
{
    assert_int_equal(rig_reserve(&ways.rig, 1, 0, 0), DRAY_OK);
    assert_int_equal(ways.rig.nshown, 1);
    assert_string_equal(ways.rig.shown[0].id, "job0");
    ways_forget();
}

/* T2: an id that is there, whatever has become of it. */
static void test_there(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "job", 1);
    ways_push(&batch, "a plain one", DRAY_OK, "a");
    expect_there("ready");
    take_job();
    expect_there("active");
    assert_int_equal(settle(DRAY_VERDICT_AGAIN, 0, HOUR_MS), DRAY_OK);
    expect_there("delayed");
    change(DRAY_CHANGE_KICK);
    take_job();
    assert_int_equal(settle(DRAY_VERDICT_BURY, 0, 0), DRAY_OK);
    expect_there("dead");
    change(DRAY_CHANGE_KICK);
    take_job();
    assert_int_equal(settle(DRAY_VERDICT_DONE, DRAY_LEASE_KEEP, 0), DRAY_OK);
    expect_there("done");
    ways_end();
}

/* An id that is gone is free, but for those who were not told that it ran. */
static void test_gone(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "job", 1);
    ways_push(&batch, "a plain one", DRAY_OK, "a");
    assert_int_equal(ways_drain(NULL, 0), 1);
    batch.push.flags = DRAY_PUSH_RESEND;
    ways_push(&batch, "one that ran, sent again", DRAY_OK, "t");
    assert_int_equal(batch.answers[0], DRAY_EXISTS);
    assert_int_equal(rig_live(&ways.rig), 0);
    batch.push.flags = 0;
    ways_push(&batch, "one that ran", DRAY_OK, "a");
    /* Its place in the list stays behind when it is removed, and counts for nothing. */
    change(DRAY_CHANGE_REMOVE);
    ways_push(&batch, "one that was removed", DRAY_OK, "a");
    assert_int_equal(rig_live(&ways.rig), 1);
    assert_int_equal(ways_drain(NULL, 0), 1);
    assert_int_equal(rig_live(&ways.rig), 0);
    ways_end();
}

static void test_twice_in_one(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "job", 3);
    batch.jobs[2].id = batch.jobs[0].id;
    ways_push(&batch, "twice the same", DRAY_OK, "at");
    assert_int_equal(batch.answers[2], DRAY_EXISTS);
    assert_int_equal(ways_drain(NULL, 0), 2);
    ways_fill(&batch, "q", "other", 3);
    batch.jobs[2].id = batch.jobs[0].id;
    batch.jobs[2].payload = str("2");
    ways_push(&batch, "twice, with other contents", DRAY_CONFLICT, "at");
    assert_int_equal(rig_live(&ways.rig), 0);
    ways_end();
}

static void test_queue(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "new", "job", 2);
    ways_push(&batch, "a queue that is new", DRAY_OK, "att");
    assert_int_equal(ways_number("SISMEMBER {dray}:queues new"), 1);
    ways_fill(&batch, "new", "more", 2);
    ways_push(&batch, "a queue that is known", DRAY_OK, "a");
    ways_say("HSET {dray:q}:meta layout 3");
    ways_fill(&batch, "q", "job", 2);
    ways_push(&batch, "another layout", DRAY_UNSUPPORTED, "at");
    ways_say("HSET {dray:q}:meta layout 2");
    assert_int_equal(rig_live(&ways.rig), 0);
    change(DRAY_CHANGE_PAUSE);
    ways_push(&batch, "a queue that pauses", DRAY_OK, "a");
    assert_int_equal(ways_drain(NULL, 0), 0);
    change(DRAY_CHANGE_RESUME);
    assert_int_equal(ways_drain(NULL, 0), 2);
    ways_end();
}

/* ---- trouble ---- */

static void test_full(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "job", 3);
    ways_say("CONFIG SET maxmemory 1");
    ways_push(&batch, "no memory", DRAY_FULL, "at");
    ways_say("CONFIG SET maxmemory 0");
    assert_int_equal(ways_number("EXISTS {dray:q}:jobs {dray:q}:ready5"), 0);
    ways_push(&batch, "memory again", DRAY_OK, "a");
    assert_int_equal(ways_drain(NULL, 0), 3);
    ways_end();
}

/* A counter that is none is begun anew; a key of another type changes nothing. */
static void test_theirs(void **state)
{
    static const struct {
        const char *key, *way;
    } keys[] = {{"meta", "a"}, {"jobs", "at"}, {"ready5", "at"}, {"totals", "at"}};
    (void)state;
    ways_start();
    ways_say("HSET {dray:q}:totals pushed:t theirs");
    ways_fill(&batch, "q", "job", 3);
    ways_push(&batch, "a counter that is none", DRAY_OK, "a");
    assert_int_equal(ways_number("HGET {dray:q}:totals pushed:t"), 3);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        ways_fill(&batch, "q", keys[i].key, 2);
        ways_say("RENAME {dray:q}:%s aside", keys[i].key);
        ways_say("XADD {dray:q}:%s 1-1 whose theirs", keys[i].key);
        ways_push(&batch, keys[i].key, DRAY_IO, keys[i].way);
        ways_say("RENAME aside {dray:q}:%s", keys[i].key);
        assert_int_equal(ways_number("HLEN {dray:q}:jobs"), 3);
        assert_int_equal(ways_number("LLEN {dray:q}:ready5"), 3);
    }
    assert_int_equal(ways_drain(NULL, 0), 3);
    ways_end();
}

/* What a user may not do is refused before anything is written. */
static void test_forbidden(void **state)
{
    static const struct {
        const char *rule, *undo, *way;
    } cases[] = {{"-hget", "+hget", "a"}, {"-hset", "+hset", "at"}, {"-rpush", "+rpush", "at"},
        {"-hincrby", "+hincrby", "at"}, {"resetchannels", "allchannels", "at"}};
    (void)state;
    ways_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ways_fill(&batch, "q", "job", 2);
        ways_say("ACL SETUSER default %s", cases[i].rule);
        ways_push(&batch, cases[i].rule, DRAY_DENIED, cases[i].way);
        ways_say("ACL SETUSER default %s", cases[i].undo);
        if (ways_number("EXISTS {dray:q}:jobs {dray:q}:ready5") != 0)
            fail_msg("%s: left something else behind", cases[i].rule);
    }
    ways_end();
}

/* L2: whoever sleeps, in another process too, hears of the first job in an empty list. */
static void test_bell(void **state)
{
    struct dray_str queue = str("q");
    struct rig sleeper;
    int32_t fd = -1;
    (void)state;
    ways_start();
    assert_int_equal(rig_open(&sleeper, ways.server.socket, 0), DRAY_OK);
    assert_int_equal(
        sleeper.driver->watch(sleeper.self, rig_call(&sleeper), &queue, 1, &fd), DRAY_OK);
    assert_int_equal(rig_reserve(&sleeper, 1, 0, 0), DRAY_OK);
    ways_forget();
    for (unsigned i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%c", 'a' + (int)i);
        ways_fill(&batch, "q", id, 2);
        batch.jobs[0].priority = batch.jobs[1].priority = i;
        struct pollfd one = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&one, 1, 0), 0);
        ways_push(&batch, "an empty list", DRAY_OK, "a");
        assert_int_equal(poll(&one, 1, 60000), 1);
        assert_int_equal(rig_reserve(&sleeper, 1, 0, 0), DRAY_OK);
        assert_int_equal(sleeper.nshown, 1);
        ways_forget();
    }
    rig_close(&sleeper);
    ways_end();
}

/* As the driver does. */
static void load_append(void)
{
    static char text[65536];
    char path[512];
    const char *source = getenv("DRAY_SOURCE");
    snprintf(path, sizeof(path), "%s/drivers/redis/scripts/append.lua", source ? source : ".");
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read", path);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = 0;
    ways_say("SCRIPT LOAD %s", text);
}

static void test_forgotten(void **state)
{
    (void)state;
    ways_start();
    ways_fill(&batch, "q", "job", 1);
    ways_say("SCRIPT FLUSH");
    ways_push(&batch, "all forgotten", DRAY_OK, "alllla");
    /* The short one is known, the other is not. */
    ways_say("SCRIPT FLUSH");
    load_append();
    ways_push(&batch, "the turn forgotten", DRAY_OK, "latllllt");
    assert_int_equal(batch.answers[0], DRAY_EXISTS);
    assert_int_equal(ways_drain(NULL, 0), 1);
    ways_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_not_plain),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_there),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_twice_in_one),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_theirs),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_bell),
        cmocka_unit_test(test_forgotten),
    };
    if (!server_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
