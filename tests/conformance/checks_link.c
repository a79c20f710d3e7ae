/* SPDX-License-Identifier: Apache-2.0 */
/* R3, U3, C4: a server at the other end of a connection that stalls or breaks, with a clock of its
   own. */
#include "check.h"
#include "relay.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHORT_MS 300     /* a budget that a kept answer outlasts */
#define RECOVERY_MS 8000 /* until a driver is connected again */
#define PATIENCE_MS 10000
#define DELAY_MS 400

static int64_t real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------- */
/* With a relay between                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* Opens the store again, through a relay. */
static int put_between(struct check *check, struct relay *relay)
{
    struct subject *s = &check->subject;
    struct relay_server server = subject_server(s);

    *relay = (struct relay){.pid = -1, .to = -1};
    if (!relay_fits(&server)) {
        snprintf(check->missing, sizeof(check->missing), "no connection to stand between");
        return 0;
    }
    subject_leave(s);
    if (!relay_start(relay, &server, s->folder)) {
        check_fail(check, "relay", 0, "no relay in place of the server");
        return 0;
    }
    s->relay = relay;
    if (subject_open_another(s) != DRAY_OK)
        check_fail(check, "open", 0, "%s", s->error.text);
    return !check->failure[0];
}

static void take_away(struct check *check, struct relay *relay)
{
    subject_leave(&check->subject);
    check->subject.relay = NULL;
    relay_end(relay);
}

static struct dray_job job_in(const char *queue, const char *id)
{
    struct dray_job job = job_of(id);

    job.queue = str(queue);
    return job;
}

/* Until the driver is connected again: a push that was not done, or may have been, is sent again.
 */
static int32_t push_at_last(struct check *check, struct dray_job job)
{
    struct subject *s = &check->subject;
    int64_t end = real_ms() + RECOVERY_MS;
    int32_t code, once = 0;

    do {
        code = subject_push_one(s, job);
        once |= code == DRAY_UNKNOWN;
        if (code >= 32)
            poll(NULL, 0, 10);
    } while (code >= 32 && real_ms() < end);
    return once && code == DRAY_EXISTS ? DRAY_OK : code;
}

/* Questions whose answers differ: one that was meant for another shows. */
static void answers_fit(struct check *check, const char *id)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_in("fit", id), other = job;

    other.payload = str("[]");
    EXPECT_CODE(check, push_at_last(check, job), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
    EXPECT_CODE(check, subject_push_one(s, other), DRAY_CONFLICT);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_DONE);
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
}

/* A call runs out of time; its answer comes when the next question has been asked. */
static void ask_too_late(struct check *check, struct relay *relay)
{
    static const char *const ids[] = {"a", "b", "c"};
    struct subject *s = &check->subject;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        answers_fit(check, ids[i]);
        relay_keep(relay);
        s->budget_ms = SHORT_MS;
        int32_t code =
            i % 2 ? subject_reserve(s, 1, 60000) : subject_push_one(s, job_in("lost", ids[i]));
        s->budget_ms = SUBJECT_BUDGET_MS;
        EXPECT(check, code >= 32);
        relay_give(relay);
    }
    answers_fit(check, "last");
}

static void late_answers_fit_nothing(struct check *check)
{
    struct relay relay;

    if (put_between(check, &relay))
        ask_too_late(check, &relay);
    take_away(check, &relay);
}

/* A push whose connection ends: what the driver says of it is what has become of it. */
static int push_cut(struct check *check, struct relay *relay, enum relay_side side, uint64_t at)
{
    struct subject *s = &check->subject;
    char id[32];

    snprintf(id, sizeof(id), "%s-%llu", side == RELAY_REQUESTS ? "asked" : "told",
        (unsigned long long)at);
    struct dray_job job = job_in("cut", id);
    relay_cut(relay, side, at);
    int32_t code = subject_push_one(s, job);
    int cut = relay_has_cut(relay);
    if (code != DRAY_OK && code < 32)
        check_fail(
            check, "link", 0, "a push on a connection that breaks answers %s", code_name(code));
    int32_t again = check->failure[0] ? DRAY_OK : push_at_last(check, job);
    if (code == DRAY_OK && again != DRAY_EXISTS)
        check_fail(
            check, "link", 0, "a push answered ok, and again it answers %s", code_name(again));
    else if (DRAY_IS_NOT_DONE(code) && again != DRAY_OK)
        check_fail(check, "link", 0,
            "a push answered %s, which is not done, and again it answers %s", code_name(code),
            code_name(again));
    else if (code >= 64 && again != DRAY_OK && again != DRAY_EXISTS)
        check_fail(check, "link", 0, "a push answered %s, and again it answers %s", code_name(code),
            code_name(again));
    return cut && !check->failure[0];
}

/* At each byte at first, then in growing steps, until a push gets through before the cut. */
static void cut_everywhere(struct check *check, struct relay *relay)
{
    for (int side = RELAY_REQUESTS; side <= RELAY_ANSWERS; side++) {
        uint64_t at = 0;
        EXPECT_CODE(check, push_at_last(check, job_in("cut", side ? "one" : "two")), DRAY_OK);
        while (push_cut(check, relay, (enum relay_side)side, at))
            at += 1 + at / (check->quick ? 2 : 16);
    }
    answers_fit(check, "last");
}

static void lost_answers(struct check *check)
{
    struct relay relay;

    if (put_between(check, &relay))
        cut_everywhere(check, &relay);
    take_away(check, &relay);
}

/* ------------------------------------------------------------------------------------------- */
/* The server's clock                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* The job is handed out when it is time by the server's clock: neither at once nor never. *start
   is a moment before that time began, and becomes one before the lease did. */
static void comes_in_real_time(struct check *check, const char *id, int64_t *start)
{
    struct subject *s = &check->subject;
    struct dray_job job;
    int64_t began = *start, asked;

    for (;;) {
        asked = real_ms();
        job = subject_take(s, DELAY_MS);
        if (job.id.len || asked - began > PATIENCE_MS)
            break;
        poll(NULL, 0, 5);
    }
    EXPECT(check, str_is(job.id, id));
    /* A server counts in whole milliseconds. */
    EXPECT(check, real_ms() - began >= DELAY_MS - 1);
    *start = asked;
}

/* The machine that the driver runs on thinks that years go by, or come back. */
static void server_clock(struct check *check)
{
    static const int64_t jumps[] = {INT64_C(31536000000), INT64_C(-31536000000)};
    struct subject *s = &check->subject;

    subject_leave(s);
    if (!subject_use_server_clock(s)) {
        snprintf(check->missing, sizeof(check->missing), "no option clock with the choice server");
        return;
    }
    EXPECT_CODE(check, subject_open_another(s), DRAY_OK);
    for (int i = 0; i < 2; i++) {
        struct dray_job late = job_of(i ? "b" : "a");
        int64_t start = real_ms();
        late.delay_ms = DELAY_MS;
        EXPECT_CODE(check, subject_push_one(s, late), DRAY_OK);
        subject_advance(s, jumps[i]);
        comes_in_real_time(check, late.id.data, &start);
        subject_advance(s, jumps[i]);
        comes_in_real_time(check, late.id.data, &start);
        struct dray_job job = s->shown.at[0].job;
        EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    }
}

const struct check_row checks_link[] = {
    {"U3", "an answer that comes too late fits no other question", late_answers_fit_nothing,
        NEED_CONNECTION},
    {"R3", "a push cut off at any byte is told as what became of it", lost_answers,
        NEED_CONNECTION},
    {"C4", "delays and leases go by the server's clock", server_clock, NEED_CONNECTION},
    {0},
};
