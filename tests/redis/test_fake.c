/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server can say. R2, R3, R6, R7: an error of its is one line and the right code, at open
 * and later; what is no answer at all is never taken for one, ends in time and costs the
 * connection.
 */
#include "redis/fake.h"
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

/* No answer must take longer, however slow the machine. */
#define PATIENCE_MS 10000

static struct fake fake;
static struct rig rig;
static char what[160]; /* the case, for messages */

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void answer(const char *word, const char *bytes, size_t len, enum fake_then then)
{
    fake_set(&fake, &(struct fake_answer){.word = word, .bytes = bytes, .len = len, .then = then});
}

/* ---- every call that the driver makes ---- */

static int32_t push(void)
{
    return rig_push(&rig, "j0", 0);
}

/* Always by the script of the turn, and by that alone. */
static int32_t push_later(void)
{
    const struct dray_job job = {.size = sizeof(job),
        .priority = 5,
        .id = {"j0", 2},
        .queue = {"q", 1},
        .type = {"t", 1},
        .payload = {"1", 1},
        .delay_ms = 1000};
    const struct dray_job *jobs[] = {&job};
    int32_t answer = DRAY_OK;
    char holder[1][DRAY_NAME_MAX + 1] = {""};
    struct dray_push group = {.size = sizeof(group),
        .queue = {"q", 1},
        .jobs = jobs,
        .answers = &answer,
        .holders = holder,
        .njobs = 1};
    return rig.driver->push(rig.self, rig_call(&rig), &group);
}

static int32_t reserve(void)
{
    return rig_reserve(&rig, 4, 0, 0);
}

static int32_t ack(void)
{
    snprintf(rig.shown[0].id, sizeof(rig.shown[0].id), "j0");
    return rig_ack(&rig, 0);
}

static int32_t lease_call(int renew)
{
    struct dray_lease lease = {.size = sizeof(lease),
        .verdict = DRAY_VERDICT_AGAIN,
        .queue = {"q", 1},
        .id = {"j0", 2},
        .type = {"t", 1},
        .lease_ms = 1000};
    const struct dray_lease *leases[] = {&lease};
    int32_t one = DRAY_OK;
    int32_t code =
        (renew ? rig.driver->extend : rig.driver->retry)(rig.self, rig_call(&rig), leases, &one, 1);
    return code == DRAY_OK ? one : code;
}

static int32_t retry(void)
{
    return lease_call(0);
}

static int32_t extend(void)
{
    return lease_call(1);
}

static int32_t cancel(void)
{
    struct dray_str id = {"j0", 2};
    int32_t one = DRAY_OK;
    struct dray_change change = {.size = sizeof(change),
        .what = DRAY_CHANGE_CANCEL,
        .nids = 1,
        .queue = {"q", 1},
        .ids = &id,
        .answers = &one};
    int32_t code = rig.driver->change(rig.self, rig_call(&rig), &change);
    return code == DRAY_OK ? one : code;
}

static int32_t pause_queue(void)
{
    struct dray_change change = {
        .size = sizeof(change), .what = DRAY_CHANGE_PAUSE, .queue = {"q", 1}};
    return rig.driver->change(rig.self, rig_call(&rig), &change);
}

static int32_t list(void)
{
    struct dray_filter filter = {.size = sizeof(filter), .max = 10};
    rig.nshown = 0;
    int32_t code;
    do {
        code = rig.driver->list(rig.self, rig_call(&rig), &filter);
    } while (code == DRAY_OK && filter.cursor[0]);
    return code;
}

static int32_t stats(void)
{
    return rig.driver->stats(rig.self, rig_call(&rig), NULL, 0);
}

static int32_t check(void)
{
    struct dray_tend tend = {.size = sizeof(tend), .what = DRAY_TEND_CHECK};
    return rig.driver->tend(rig.self, rig_call(&rig), &tend);
}

static const struct {
    const char *name;
    int32_t (*call)(void);
    int reads;
} calls[] = {{"push", push, 0}, {"push again", push_later, 0}, {"reserve", reserve, 0},
    {"ack", ack, 0}, {"retry", retry, 0}, {"extend", extend, 0}, {"cancel", cancel, 0},
    {"pause", pause_queue, 0}, {"list", list, 1}, {"stats", stats, 1}, {"check", check, 1}};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* ---- judging ---- */

static void expect_line(int32_t code)
{
    const char *text = rig.error.text;
    size_t len = strlen(text);
    if (rig.error.code != code || !len || strpbrk(text, "\r\n\033\007") || text[len - 1] == '.' ||
        !strstr(text, "redis at"))
        fail_msg("%s: code %d, error %d: \"%s\"", what, code, rig.error.code, text);
}

static void expect_code(int32_t code, int32_t expected)
{
    if (code != expected)
        fail_msg("%s: code %d, not %d: \"%s\"", what, code, expected, rig.error.text);
    expect_line(code);
}

/* As after a pause: the driver is ready to connect again. */
static void reconnect(void)
{
    int64_t end = now_ms() + PATIENCE_MS;
    struct timespec pause = {0, 3000000};
    answer(NULL, NULL, 0, FAKE_GO_ON);
    /* The sound one refuses scripts, which is an answer. */
    while (push() != DRAY_IO) {
        if (now_ms() > end)
            fail_msg("%s: does not connect again: %s", what, rig.error.text);
        nanosleep(&pause, NULL);
    }
}

static void open_sound(void)
{
    assert_int_equal(fake_start(&fake), 0);
    assert_int_equal(rig_open(&rig, fake.path, 0), DRAY_OK);
}

static void close_all(void)
{
    rig_close(&rig);
    fake_stop(&fake);
}

/* ---- errors ---- */

/* What the error means: to a call, and while opening. */
static const struct {
    const char *text;
    int32_t later, opening;
    int drops; /* the connection is of no more use */
} errors[] = {
    {"-OOM command not allowed when used memory > 'maxmemory'.", DRAY_FULL, DRAY_FULL, 0},
    {"-LOADING Redis is loading the dataset in memory", DRAY_BUSY, DRAY_BUSY, 1},
    {"-BUSY Redis is busy running a script.", DRAY_BUSY, DRAY_BUSY, 0},
    {"-TRYAGAIN Multiple keys request during rehashing of slot", DRAY_BUSY, DRAY_BUSY, 0},
    {"-NOREPLICAS Not enough good replicas to write.", DRAY_BUSY, DRAY_BUSY, 0},
    {"-READONLY You can't write against a read only replica.", DRAY_UNREACHABLE, DRAY_UNREACHABLE,
        1},
    {"-MASTERDOWN Link with MASTER is down", DRAY_UNREACHABLE, DRAY_UNREACHABLE, 1},
    {"-MISCONF Redis is configured to save RDB snapshots", DRAY_IO, DRAY_IO, 0},
    {"-NOAUTH Authentication required.", DRAY_DENIED, DRAY_DENIED, 1},
    {"-WRONGPASS invalid username-password pair", DRAY_DENIED, DRAY_DENIED, 1},
    {"-NOPERM this user has no permissions to run the command", DRAY_DENIED, DRAY_DENIED, 0},
    {"-MOVED 3999 127.0.0.1:6381", DRAY_UNSUPPORTED, DRAY_UNSUPPORTED, 0},
    {"-CLUSTERDOWN The cluster is down", DRAY_UNSUPPORTED, DRAY_UNSUPPORTED, 0},
    {"-CROSSSLOT Keys in request don't hash to the same slot", DRAY_UNSUPPORTED, DRAY_UNSUPPORTED,
        0},
    {"-WRONGTYPE Operation against a key", DRAY_IO, DRAY_IO, 0},
    {"-CLEAN WRONGTYPE Operation against a key", DRAY_IO, DRAY_IO, 0},
    {"-CLEAN LAYOUT {dray:q}:meta has layout 9", DRAY_UNSUPPORTED, DRAY_UNSUPPORTED, 0},
    {"-DIRTY WRONGTYPE Operation against a key", DRAY_UNKNOWN, DRAY_UNREACHABLE, 0},
    {"-ERR unknown command", DRAY_IO, DRAY_IO, 0},
    {"-ERR \033[31mred\007", DRAY_IO, DRAY_IO, 0},
    {"-NOSCRIPT No matching script. Please use EVAL.", DRAY_BUSY, DRAY_IO, 0},
    {"-OOMPH is another word", DRAY_IO, DRAY_IO, 0},
    {"-", DRAY_IO, DRAY_IO, 0},
};
#define NERRORS (sizeof(errors) / sizeof(errors[0]))

static const char *with_end(const char *text)
{
    static char bytes[128];
    snprintf(bytes, sizeof(bytes), "%s\r\n", text);
    return bytes;
}

static void test_errors(void **state)
{
    (void)state;
    open_sound();
    for (size_t i = 0; i < NERRORS; i++) {
        const char *bytes = with_end(errors[i].text);
        for (size_t k = 0; k < NCALLS; k++) {
            snprintf(what, sizeof(what), "%s: %s", calls[k].name, errors[i].text);
            reconnect();
            unsigned before = fake_connections(&fake);
            answer("EVALSHA", bytes, strlen(bytes), FAKE_GO_ON);
            int32_t expected = errors[i].later;
            if (calls[k].reads && expected == DRAY_UNKNOWN)
                expected = DRAY_IO;
            expect_code(calls[k].call(), expected);
            assert_true(fake_given(&fake) >= 1 && fake_given(&fake) <= 2);
            reconnect();
            assert_int_equal(fake_connections(&fake) - before, errors[i].drops);
        }
    }
    close_all();
}

static void test_errors_at_open(void **state)
{
    static const char *const words[] = {"INFO", "GET", "SCRIPT"};
    (void)state;
    assert_int_equal(fake_start(&fake), 0);
    for (size_t i = 0; i < NERRORS; i++) {
        const char *bytes = with_end(errors[i].text);
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            snprintf(what, sizeof(what), "opening, %s: %s", words[k], errors[i].text);
            answer(words[k], bytes, strlen(bytes), FAKE_GO_ON);
            int32_t expected = errors[i].opening;
            if (strcmp(words[k], "GET") == 0 && strncmp(bytes, "-WRONGTYPE", 10) == 0)
                expected = DRAY_UNSUPPORTED; /* somebody else's prefix */
            expect_code(rig_open(&rig, fake.path, 0), expected);
            rig_close(&rig);
        }
    }
    fake_stop(&fake);
}

/* Once more it is a store that has been open: what the server turned into may pass. */
static void test_errors_when_connecting_again(void **state)
{
    static const char replica[] =
        "$68\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:slave\r\nloading:0\r\n\r\n";
    (void)state;
    open_sound();
    snprintf(what, sizeof(what), "connecting again to a replica");
    answer("EVALSHA", "-READONLY x\r\n", 13, FAKE_GO_ON);
    assert_int_equal(ack(), DRAY_UNREACHABLE);
    answer("INFO", replica, sizeof(replica) - 1, FAKE_GO_ON);
    expect_code(ack(), DRAY_UNREACHABLE);
    assert_non_null(strstr(rig.error.text, "replica"));
    reconnect();
    close_all();
}

/* ---- what is no answer ---- */

#define RAW(text) text, sizeof(text) - 1
#define TURN "*7\r\n$4\r\nturn\r\n"
#define NO_JOBS ":0\r\n*0\r\n$0\r\n\r\n"
#define FIVE "*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n"
#define ONE "*1\r\n$1\r\na\r\n"
#define FOUR "*1\r\n*1\r\n*1\r\n*1\r\n"
#define MANY "*2147483647\r\n*2147483647\r\n*2147483647\r\n*2147483647\r\n"

static const struct {
    const char *bytes;
    size_t len;
} garbage[] = {
    {RAW("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")},
    {RAW("\x15\x03\x01\x00\x02\x02\x16")},
    {RAW("SSH-2.0-OpenSSH_9.2\r\n")},
    {RAW("\0\0\0\0\0\0\0\0")},
    {RAW("\r\n")},
    {RAW("$2147483647\r\nabc")},
    {RAW("$9223372036854775807\r\nabc")},
    {RAW("$99999999999999999999999999\r\nabc")},
    {RAW("$-2\r\n")},
    {RAW("$abc\r\n")},
    {RAW("$3\r\nabcd\r\n")},
    {RAW("*2147483647\r\n")},
    {RAW("*4294967295\r\n")},
    {RAW("*1073741824\r\n:1\r\n")},
    {RAW("*99999999999999999999999999\r\n")},
    {RAW("*-2\r\n")},
    {RAW(MANY)},
    {RAW(FOUR FOUR FOUR FOUR ":1\r\n")},
    {RAW(":12a\r\n")},
    {RAW(":99999999999999999999999999\r\n")},
    {RAW("%1\r\n+a\r\n+b\r\n")},
    {RAW("_\r\n")},
    {RAW("#t\r\n")},
    {RAW(",1.5\r\n")},
    {RAW("(123\r\n")},
    {RAW("~1\r\n+a\r\n")},
    {RAW(">2\r\n+message\r\n+b\r\n")},
    {RAW("=7\r\ntxt:abc\r\n")},
    {RAW("$-1\r\n")},
    {RAW("$0\r\n\r\n")},
    {RAW("*-1\r\n")},
    {RAW("*0\r\n")},
    {RAW("*1\r\n*0\r\n")},
    {RAW("*1\r\n-ERR inside\r\n")},
    {RAW("*2\r\n$4\r\nturn\r\n")},
};

/* The shape is that of a script's answer, what is in it is not. */
static const struct {
    const char *bytes;
    size_t len;
} nonsense[] = {
    {RAW("+turn\r\n")},
    {RAW("*1\r\n$4\r\nturn\r\n")},
    {RAW(TURN ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n")},
    {RAW(TURN "$-1\r\n*-1\r\n$-1\r\n:0\r\n*-1\r\n$-1\r\n")},
    /* letters that are none, too many, groups that nobody pushed */
    {RAW(TURN "$1\r\nz\r\n*1\r\n*3\r\n$1\r\nz\r\n$1\r\nz\r\n*0\r\n$1\r\nz\r\n:0\r\n*1\r\n:1\r\n"
              "$0\r\n\r\n")},
    {RAW(TURN "$2\r\nOO\r\n*2\r\n*0\r\n*0\r\n$2\r\nOO\r\n:0\r\n*3\r\n:0\r\n:0\r\n:0\r\n"
              "$0\r\n\r\n")},
    /* a holder longer than any id */
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nD\r\n$1\r\nD\r\n*1\r\n$70\r\n"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
              "$0\r\n\r\n:0\r\n*5\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n$0\r\n\r\n")},
    /* one thing wrong: of leases, */
    {RAW(TURN "$2\r\nOO\r\n*0\r\n$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$1\r\nz\r\n*0\r\n$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$0\r\n\r\n*0\r\n$2\r\nOO\r\n" NO_JOBS)},
    /* of a group, */
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nz\r\n$1\r\nO\r\n*0\r\n$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nO\r\n$1\r\nz\r\n*0\r\n$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nO\r\n$2\r\nOO\r\n*0\r\n$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nO\r\n$1\r\nO\r\n*2\r\n$0\r\n\r\n$0\r\n\r\n"
              "$0\r\n\r\n" NO_JOBS)},
    {RAW(TURN "$0\r\n\r\n*1\r\n*3\r\n$1\r\nO\r\n$1\r\nO\r\n:0\r\n$0\r\n\r\n" NO_JOBS)},
    /* of a reserve */
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n:0\r\n*1\r\n*4\r\n:0\r\n" FIVE FIVE
              "$1\r\na\r\n$0\r\n\r\n")},
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n:0\r\n*1\r\n*4\r\n:0\r\n" ONE FIVE
              "$1\r\na\r\n$0\r\n\r\n")},
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n:0\r\n*1\r\n*4\r\n:0\r\n" ONE ONE FIVE "$0\r\n\r\n")},
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n:0\r\n*1\r\n*4\r\n:9\r\n" ONE ONE ONE "$0\r\n\r\n")},
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n$1\r\n0\r\n*0\r\n$0\r\n\r\n")},
    {RAW(TURN "$0\r\n\r\n*0\r\n$0\r\n\r\n:0\r\n*0\r\n:0\r\n")},
    {RAW("*2\r\n$8\r\nregister\r\n$1\r\n0\r\n")},
    {RAW("*2\r\n$8\r\nregister\r\n*1\r\n:-1\r\n")},
    {RAW("*2\r\n$8\r\nregister\r\n*1\r\n:1024\r\n")},
    {RAW("*2\r\n$8\r\nregister\r\n*1\r\n:0\r\n")},
    {RAW("*1\r\n$7\r\ncareful\r\n")},
    {RAW("*2\r\n$6\r\nchange\r\n:1\r\n")},
    {RAW("*2\r\n$6\r\nchange\r\n$0\r\n\r\n")},
    {RAW("*2\r\n$6\r\nchange\r\n$9\r\nOOOOOOOOO\r\n")},
    {RAW("*2\r\n$5\r\nstats\r\n*0\r\n")},
    {RAW("*2\r\n$5\r\nstats\r\n*6\r\n:0\r\n*7\r\n:-1\r\n:-1\r\n:-1\r\n:-1\r\n:-1\r\n:-1\r\n:-1\r\n"
         "$0\r\n\r\n:0\r\n:0\r\n*0\r\n")},
    {RAW("*3\r\n$3\r\nids\r\n:0\r\n*0\r\n")},
    {RAW("*3\r\n$3\r\nids\r\n$40\r\n0123456789012345678901234567890123456789\r\n*0\r\n")},
    /* a cursor that never comes round */
    {RAW("*3\r\n$3\r\nids\r\n$1\r\n5\r\n*0\r\n")},
    {RAW("*3\r\n$4\r\njobs\r\n$1\r\n0\r\n*2\r\n:1\r\n:2\r\n")},
};

static void expect_no_success(size_t call, int32_t code, int64_t since)
{
    if (now_ms() - since > PATIENCE_MS)
        fail_msg("%s: took %lld ms", what, (long long)(now_ms() - since));
    int fine =
        calls[call].reads ? DRAY_IS_NOT_DONE(code) : code == DRAY_UNKNOWN || DRAY_IS_NOT_DONE(code);
    if (!fine)
        fail_msg("%s: code %d", what, code);
    expect_line(code);
}

static void test_garbage(void **state)
{
    (void)state;
    open_sound();
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        for (size_t k = 0; k < NCALLS; k++) {
            snprintf(
                what, sizeof(what), "%s, garbage %zu: %.40s", calls[k].name, i, garbage[i].bytes);
            rig.budget_ms = 0;
            reconnect();
            rig.budget_ms = 20;
            answer("EVALSHA", garbage[i].bytes, garbage[i].len, FAKE_SILENT);
            int64_t since = now_ms();
            int32_t code = calls[k].call();
            expect_no_success(k, code, since);
            /* It may have been carried out, and nothing says that it was not. */
            if (!calls[k].reads && code != DRAY_UNKNOWN)
                fail_msg("%s: code %d", what, code);
        }
    }
    close_all();
}

static void test_nonsense(void **state)
{
    (void)state;
    open_sound();
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        for (size_t k = 0; k < NCALLS; k++) {
            snprintf(what, sizeof(what), "%s, nonsense %zu", calls[k].name, i);
            rig.budget_ms = 0;
            reconnect();
            rig.budget_ms = 50;
            answer("EVALSHA", nonsense[i].bytes, nonsense[i].len, FAKE_GO_ON);
            int64_t since = now_ms();
            expect_no_success(k, calls[k].call(), since);
            assert_int_equal(rig.nshown, 0);
        }
    }
    close_all();
}

/* R3: after an answer that a plain push cannot have, no later refusal says that nothing was done.
 */
static void test_answer_to_another(void **state)
{
    static const char stats[] = "*1\r\n$5\r\nstats\r\n";
    (void)state;
    open_sound();
    snprintf(what, sizeof(what), "push, answered as stats");
    fake_set(&fake, &(struct fake_answer){
                        .word = "EVALSHA", .bytes = stats, .len = sizeof(stats) - 1, .times = 1});
    expect_code(push(), DRAY_UNKNOWN);
    assert_int_equal(fake_given(&fake), 1);
    close_all();
}

/* Whatever it is, it is not a Redis that is fit for use: 69, 77 or 78 for the command. */
static void test_garbage_at_open(void **state)
{
    static const char *const words[] = {NULL, "INFO", "GET", "SCRIPT"};
    (void)state;
    assert_int_equal(fake_start(&fake), 0);
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            snprintf(what, sizeof(what), "opening, %s, garbage %zu: %.40s",
                words[k] ? words[k] : "anything", i, garbage[i].bytes);
            if (words[k] && strcmp(words[k], "GET") == 0 &&
                strcmp(garbage[i].bytes, "$-1\r\n") == 0)
                continue; /* no layout yet is a fine answer */
            answer(words[k], garbage[i].bytes, garbage[i].len, FAKE_END);
            int64_t since = now_ms();
            int32_t code = rig_open(&rig, fake.path, 0);
            if (code != DRAY_UNREACHABLE && code != DRAY_DENIED && code != DRAY_UNSUPPORTED)
                fail_msg("%s: code %d: %s", what, code, rig.error.text);
            expect_line(code);
            assert_true(now_ms() - since < PATIENCE_MS);
            rig_close(&rig);
        }
    }
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errors_at_open),
        cmocka_unit_test(test_errors_when_connecting_again),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_answer_to_another),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_garbage_at_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
