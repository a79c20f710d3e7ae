/* SPDX-License-Identifier: Apache-2.0 */
/* J2, J4: payloads and names come back as they are, at every length and from every script. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 8u
#define EVERY_LENGTH 4096u /* up to here each length is tried, not with --quick */

/* Pushes them together, where the driver takes groups, and compares what comes back. */
static void round_trips(struct check *check, const struct dray_str *payloads, uint32_t n)
{
    static const char *const ids[AT_ONCE] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
    struct subject *s = &check->subject;
    struct dray_job jobs[AT_ONCE];

    for (uint32_t i = 0; i < n; i++) {
        jobs[i] = job_of(ids[i]);
        jobs[i].payload = payloads[i];
    }
    EXPECT_CODE(check, subject_push(s, jobs, n, 0, NULL, NULL), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, n, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, n);
    struct dray_lease leases[AT_ONCE];
    const struct dray_lease *list[AT_ONCE];
    int32_t answers[AT_ONCE];
    for (uint32_t i = 0; i < n; i++) {
        const struct dray_job *got = &s->shown.at[i].job;
        uint32_t which = got->id.len == 2 ? (uint32_t)(got->id.data[1] - '0') : n;
        EXPECT(check, which < n);
        EXPECT_NUMBER(check, got->payload.len, payloads[which].len);
        EXPECT(check, str_same(got->payload, payloads[which]));
        leases[i] = lease_of(got, DRAY_VERDICT_DONE);
        list[i] = &leases[i];
    }
    subject_settle_all(s, list, answers, n);
    for (uint32_t i = 0; i < n; i++)
        EXPECT_CODE(check, answers[i], DRAY_OK);
    /* What was shown is not needed any more, and there may be a lot of it. */
    shown_free(&s->shown);
    shown_free(&s->past);
}

static uint32_t at_once(const struct subject *s)
{
    uint32_t most = s->driver->max_push < AT_ONCE ? s->driver->max_push : AT_ONCE;

    return s->driver->max_batch < most ? s->driver->max_batch : most;
}

/* A JSON string of `len` >= 2 bytes, its characters different from length to length. */
static void fill(char *text, size_t len)
{
    for (size_t at = 0; at < len; at++)
        text[at] = (char)('a' + (at + len) % 26);
    text[0] = text[len - 1] = '"';
}

static void lengths(struct check *check, const size_t *list, size_t n)
{
    char *text[AT_ONCE] = {0};
    struct dray_str payloads[AT_ONCE];
    uint32_t most = at_once(&check->subject);

    for (uint32_t i = 0; i < most; i++)
        text[i] = malloc(DRAY_PAYLOAD_MAX);
    for (size_t at = 0; at < n && !check->failure[0]; at += most) {
        uint32_t part = n - at < most ? (uint32_t)(n - at) : most;
        for (uint32_t i = 0; i < part && text[i]; i++) {
            fill(text[i], list[at + i]);
            payloads[i] = (struct dray_str){text[i], list[at + i]};
        }
        if (text[most - 1])
            round_trips(check, payloads, part);
    }
    for (uint32_t i = 0; i < most; i++)
        free(text[i]);
}

static void every_length(struct check *check)
{
    size_t list[EVERY_LENGTH];
    size_t n = 0, step = check->quick ? 61 : 1;

    for (size_t len = 2; len <= EVERY_LENGTH; len += step)
        list[n++] = len;
    lengths(check, list, n);
}

static void powers_of_two(struct check *check)
{
    size_t list[64];
    size_t n = 0;

    for (size_t power = 4; power <= DRAY_PAYLOAD_MAX; power *= 2) {
        list[n++] = power - 1;
        list[n++] = power;
        if (power < DRAY_PAYLOAD_MAX)
            list[n++] = power + 1;
    }
    lengths(check, list, n);
}

/* The core lets none through; a driver that is given one keeps it whole or refuses it. */
static void above_the_limit(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("large");
    char *text = malloc(DRAY_PAYLOAD_MAX + 1);

    if (!text) {
        check_fail(check, "payload", 0, "no memory for it");
        return;
    }
    fill(text, DRAY_PAYLOAD_MAX + 1);
    job.payload = (struct dray_str){text, DRAY_PAYLOAD_MAX + 1};
    int32_t code = subject_push_one(s, job);
    struct dray_job got = subject_take(s, 1000);
    int same = str_same(got.payload, job.payload);
    free(text);
    EXPECT(check, code == DRAY_OK || (code >= DRAY_BUSY && code < DRAY_UNKNOWN));
    EXPECT(check, code == DRAY_OK ? same : !got.id.len);
}

/* Encodes a code point as UTF-8 (RFC 3629). */
static size_t utf8(char *out, uint32_t point)
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80u | (point & 0x3fu));
    out[0] = (char)(heads[len] | point);
    return len;
}

static void planes(struct check *check)
{
    char text[4096];

    for (uint32_t plane = 0; plane <= 16; plane++) {
        size_t len = 1;
        text[0] = '"';
        for (uint32_t point = 0; point < 0x10000; point += 97) {
            uint32_t whole = plane << 16 | point;
            if (whole < 0x20 || whole == '"' || whole == '\\' || (whole >> 11) == 0x1b)
                continue;
            len += utf8(text + len, whole);
        }
        text[len++] = '"';
        struct dray_str payload = {text, len};
        round_trips(check, &payload, 1);
    }
}

static void kinds(struct check *check)
{
    static const char *const payloads[] = {"null", "0", "\"\"", "[]", "{}", " {\n\t\"a\" : 1 }\r\n",
        "\"\\u0000\\n\\\"\"", "1e400", "-0.0", "{\"b\":1,\"a\":2,\"b\":3}", "\"\x7f\"",
        "\"'; DROP TABLE jobs; --\"", "\"%s%n\""};

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct dray_str payload = str(payloads[i]);
        round_trips(check, &payload, 1);
    }
}

static void results(struct check *check)
{
    struct subject *s = &check->subject;
    char *text = malloc(DRAY_PAYLOAD_MAX);

    if (!text) {
        check_fail(check, "payload", 0, "no memory for it");
        return;
    }
    fill(text, DRAY_PAYLOAD_MAX);
    int32_t code = subject_push_one(s, job_of("a"));
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_DONE);
    lease.flags = DRAY_LEASE_KEEP;
    lease.result = (struct dray_str){text, DRAY_PAYLOAD_MAX};
    code = code == DRAY_OK ? subject_settle(s, lease) : code;
    int same = str_same(subject_find(s, "a").result, lease.result);
    free(text);
    EXPECT_CODE(check, code, DRAY_OK);
    EXPECT(check, same);
}

/* ------------------------------------------------------------------------------------------- */
/* Names                                                                                       */
/* ------------------------------------------------------------------------------------------- */

/* Pushes it, takes it by its queue, compares the names and acks it. */
static void named(struct check *check, struct dray_job job)
{
    struct subject *s = &check->subject;
    struct dray_reserve want = {.max = 1, .queues = &job.queue, .nqueues = 1, .lease_ms = 1000};

    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 1);
    struct dray_job got = s->shown.at[0].job;
    EXPECT(check, str_same(got.id, job.id) && str_same(got.queue, job.queue));
    EXPECT(check, str_same(got.type, job.type) && str_same(got.group, job.group));
    EXPECT(check, str_same(got.name, job.name) && str_same(got.unique, job.unique));
    EXPECT_CODE(check, subject_settle(s, lease_of(&got, DRAY_VERDICT_DONE)), DRAY_OK);
}

static void at_limits(struct check *check)
{
    int unique = (check->subject.driver->can & DRAY_CAN_UNIQUE) != 0;
    char name[DRAY_NAME_MAX + 1], text[DRAY_TEXT_MAX + 1];
    struct dray_job job = job_of("x");

    memset(name, 'n', sizeof(name) - 1);
    name[DRAY_NAME_MAX] = 0;
    for (size_t i = 0; i < DRAY_TEXT_MAX; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3); /* the euro sign */
    text[DRAY_TEXT_MAX] = 0;
    job.id = job.type = job.group = job.queue = str(name);
    job.name = str(text);
    if (unique)
        job.unique = str(text);
    named(check, job);
    job = job_of("A.b_c:d-9");
    job.type = str("T.y_p:e-0");
    job.queue = str("0:q_.-");
    job.group = str("g");
    job.name = str("'\"%_*?[]{}\\ $1; --");
    if (unique)
        job.unique = job.name;
    named(check, job);
    job = job_of("9");
    job.type = job.queue = str("Z");
    job.name = str(" ");
    named(check, job);
}

/* Names that a store could take for one another. */
static void alike(struct check *check)
{
    static const char *const names[] = {"a", "A", "a.", "a:", "a-", "a_", "aa", "0", "00", "0.0",
        "1e0", "1.0", "null", "nan", "a:b", "a.b", "a_b", "a-b"};
    static const size_t n = sizeof(names) / sizeof(names[0]);
    struct subject *s = &check->subject;
    char payloads[sizeof(names) / sizeof(names[0])][8];

    for (size_t i = 0; i < n; i++) {
        struct dray_job job = job_of(names[i]);
        snprintf(payloads[i], sizeof(payloads[i]), "%zu", i);
        job.payload = str(payloads[i]);
        EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
        job.queue = str(names[i]);
        EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    }
    for (size_t i = 0; i < n; i++) {
        struct dray_str queue = str(names[i]);
        struct dray_reserve want = {.max = 1, .queues = &queue, .nqueues = 1, .lease_ms = 60000};
        EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
        EXPECT_NUMBER(check, s->shown.n, 1);
        EXPECT(check, str_is(s->shown.at[0].job.id, names[i]));
        EXPECT(check, str_is(s->shown.at[0].job.payload, payloads[i]));
        want.nonce = 0;
        EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
        EXPECT_NUMBER(check, s->shown.n, 0);
    }
}

static void keys_alike(struct check *check)
{
    static const char *const keys[] = {
        "k", "K", "k ", " k", "k%", "k_", "k*", "\xc3\xa9", "e\xcc\x81", "k'", "0", "00", "0.0"};
    struct subject *s = &check->subject;
    char id[16];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(id, sizeof(id), "j%zu", i);
        struct dray_job job = job_of(id);
        job.unique = str(keys[i]);
        EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
        job.id = str("another");
        EXPECT_CODE(check, subject_push_one(s, job), DRAY_DUPLICATE);
    }
}

const struct check_row checks_bytes[] = {
    {"J2", "payloads of every length to 4 KiB come back byte for byte", every_length, 0},
    {"J2", "payloads of 2^n bytes, one less and one more come back", powers_of_two, 0},
    {"J2", "a payload above the limit comes back whole or is refused", above_the_limit, 0},
    {"J2", "payloads of every Unicode plane come back", planes, 0},
    {"J2", "payloads of every kind come back", kinds, 0},
    {"J2", "a result at the limit comes back", results, DRAY_CAN_KEEP | NEED_LIST},
    {"J4", "names at their limits come back", at_limits, 0},
    {"J4", "names that are alike are not the same", alike, 0},
    {"J4", "unique keys that are alike are not the same", keys_alike, DRAY_CAN_UNIQUE},
    {0},
};
