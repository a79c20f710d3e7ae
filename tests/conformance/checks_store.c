/* SPDX-License-Identifier: Apache-2.0 */
/* D1 to D4, U1, R6, J6, tend: what a store keeps when it is closed, sent the same again, or
   tended. */
#include "check.h"

#include <stdio.h>
#include <string.h>

/* Closes the store and opens it again. */
static void reopen(struct check *check)
{
    subject_leave(&check->subject);
    EXPECT_CODE(check, subject_open_another(&check->subject), DRAY_OK);
}

static void keeps_jobs(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job ready = job_of("ready"), late = job_of("late");

    if (!check_durable(check))
        return;
    EXPECT_CODE(check, subject_push_one(s, job_of("active")), DRAY_OK);
    struct dray_job active = subject_take(s, 60000);
    ready.name = str("Welcome to Ada \xc3\xa9");
    ready.group = str("tenant-7");
    ready.timeout_ms = 4100;
    ready.max_attempts = 9;
    EXPECT_CODE(check, subject_push_one(s, ready), DRAY_OK);
    late.delay_ms = 30000;
    EXPECT_CODE(check, subject_push_one(s, late), DRAY_OK);
    reopen(check);
    EXPECT_CODE(check, subject_push_one(s, ready), DRAY_EXISTS);
    struct dray_job got = subject_take(s, 90000);
    EXPECT(check, str_is(got.id, "ready") && str_is(got.payload, "{\"n\":1}"));
    EXPECT(check, str_same(got.name, ready.name) && str_same(got.group, ready.group));
    EXPECT(check, got.timeout_ms == 4100 && got.max_attempts == 9);
    EXPECT(check, got.created_ms == SUBJECT_WALL_START);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_settle(s, lease_of(&active, DRAY_VERDICT_DONE)), DRAY_OK);
    reopen(check);
    EXPECT_CODE(check, subject_settle(s, lease_of(&active, DRAY_VERDICT_DONE)), DRAY_STALE);
    subject_advance(s, 29999);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1);
    EXPECT(check, str_is(subject_take(s, 60000).id, "late"));
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void keeps_outcomes(struct check *check)
{
    struct subject *s = &check->subject;

    if (!check_durable(check))
        return;
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_AGAIN);
    lease.error = str("no route to host");
    lease.progress = str("3 of 9");
    lease.delay_ms = 5000;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    reopen(check);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 5000);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.error, "no route to host") && str_is(job.progress, "3 of 9"));
    EXPECT_NUMBER(check, job.attempts, 2);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    reopen(check);
    subject_advance(s, 100000);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void keeps_attempts(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_lease lease = {0};

    if (!check_durable(check))
        return;
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    for (uint32_t i = 1; i <= 3; i++) {
        struct dray_job job = subject_take(s, 1000);
        EXPECT(check, str_is(job.id, "a"));
        EXPECT_NUMBER(check, job.attempts, i);
        EXPECT(check, job.token.counter > lease.token.counter);
        if (i > 1)
            EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
        lease = lease_of(&job, DRAY_VERDICT_DONE);
        reopen(check);
        EXPECT(check, !subject_take(s, 1000).id.len);
        subject_advance(s, 1001);
    }
}

static void exists_is_kept(struct check *check)
{
    struct subject *s = &check->subject;

    if (!check_durable(check))
        return;
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_EXISTS);
    reopen(check);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_EXISTS);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void keeps_pause(struct check *check)
{
    struct subject *s = &check->subject;

    if (!check_durable(check))
        return;
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_PAUSE, "q", NULL, 0), DRAY_OK);
    reopen(check);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_RESUME, "q", NULL, 0), DRAY_OK);
    reopen(check);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void keeps_keys(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job a = job_of("a"), b = job_of("b");

    if (!check_durable(check))
        return;
    a.unique = b.unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, a), DRAY_OK);
    reopen(check);
    EXPECT_CODE(check, subject_push_one(s, b), DRAY_DUPLICATE);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    reopen(check);
    EXPECT_CODE(check, subject_push_one(s, b), DRAY_OK);
}

/* A level is given, or more, or refused: never less. */
static void levels(struct check *check)
{
    struct subject *s = &check->subject;

    for (uint32_t wish = DRAY_DURABILITY_VOLATILE; wish <= DRAY_DURABILITY_REPLICATED; wish++) {
        subject_leave(s);
        s->wish = wish;
        int32_t code = subject_open_another(s);
        EXPECT(check, code == DRAY_OK || code == DRAY_UNSUPPORTED);
        EXPECT(check, code != DRAY_OK || s->durability >= wish);
        EXPECT(check, code == DRAY_OK || s->error.text[0]);
    }
}

static void resends(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a"), other = job_of("a");

    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESEND, NULL, NULL), DRAY_OK);
    int32_t answer = DRAY_OK;
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESEND, &answer, NULL), DRAY_OK);
    EXPECT_CODE(check, answer, DRAY_EXISTS);
    other.payload = str("2");
    EXPECT_CODE(check, subject_push(s, &other, 1, DRAY_PUSH_RESEND, NULL, NULL), DRAY_CONFLICT);
    struct dray_job got = subject_take(s, 1000);
    EXPECT(check, str_is(got.id, "a") && str_is(got.payload, "{\"n\":1}"));
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESEND, &answer, NULL), DRAY_OK);
    EXPECT_CODE(check, answer, DRAY_EXISTS);
    EXPECT_CODE(check, subject_settle(s, lease_of(&got, DRAY_VERDICT_DONE)), DRAY_OK);
    /* An ended id: remembered, or new again; what is answered is what happens. */
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESEND, &answer, NULL), DRAY_OK);
    EXPECT(check, answer == DRAY_OK || answer == DRAY_EXISTS);
    EXPECT_NUMBER(check, subject_take(s, 1000).id.len, answer == DRAY_OK ? 1 : 0);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void says_why(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[2] = {job_of("a"), job_of("b")};
    const struct dray_job *list[2] = {&jobs[0], &jobs[1]};
    int32_t answers[2];
    struct dray_push group = {
        .queue = str("q"), .jobs = list, .answers = answers, .njobs = 1, .capacity = 1};

    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_OK);
    group.jobs = list + 1;
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_FULL);
    EXPECT(check, s->error.text[0]);
    EXPECT(check, !strchr(s->error.text, '\n'));
    EXPECT_CODE(check, s->error.code, DRAY_FULL);
}

static void refused_is_not_done(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[2] = {job_of("a"), job_of("b")};
    const struct dray_job *list[2] = {&jobs[0], &jobs[1]};
    int32_t answers[2];
    struct dray_push group = {
        .queue = str("q"), .jobs = list, .answers = answers, .njobs = 1, .capacity = 1};

    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_OK);
    for (int i = 0; i < 3; i++) {
        group.jobs = list + 1;
        EXPECT_CODE(check, subject_push_group(s, &group), DRAY_FULL);
    }
    EXPECT(check, str_is(subject_take(s, 60000).id, "a"));
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_FULL); /* active jobs count too */
    group.capacity = 0;
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_OK);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 1000).id, "b"));
}

/* Whatever its clock says, one owner's verdict counts: the latest one's. */
static void clock_is_no_judge(struct check *check)
{
    static const int64_t moves[] = {1001, 86400000, 1001, 31536000000, 5000};
    struct subject *s = &check->subject;
    struct dray_lease last = {0};

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    for (uint32_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        struct dray_job job = subject_take(s, 1000);
        EXPECT(check, str_is(job.id, "a"));
        EXPECT(check, job.token.counter > last.token.counter);
        if (i > 0)
            EXPECT_CODE(check, subject_settle(s, last), DRAY_STALE);
        last = lease_of(&job, DRAY_VERDICT_DONE);
        s->wall_ms += i % 2 ? moves[i] : -moves[i];
        EXPECT(check, !subject_take(s, 1000).id.len);
        subject_advance(s, moves[i]);
    }
    EXPECT_CODE(check, subject_settle(s, last), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

/* The owner that `queue` was last seen with, and how long ago. */
static void consumer_of(struct check *check, char *owner, size_t size, uint64_t *age_ms)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");

    owner[0] = 0;
    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    EXPECT(check, s->rows.n > 0);
    snprintf(owner, size, "%s", s->rows.at[0].consumer);
    *age_ms = s->rows.at[0].row.consumer_age_ms;
}

static void look_as(struct check *check, const char *owner)
{
    struct dray_str queue = str("q");
    struct dray_reserve want = {
        .max = 1, .queues = &queue, .nqueues = 1, .lease_ms = 1000, .owner = str(owner)};

    EXPECT_CODE(check, subject_reserve_want(&check->subject, &want), DRAY_OK);
}

static void consumer_moves_on(struct check *check)
{
    struct subject *s = &check->subject;
    char owner[DRAY_TEXT_MAX + 1];
    uint64_t age_ms = 0;

    look_as(check, "host-a:41");
    subject_advance(s, 11000);
    look_as(check, "host-b:7");
    subject_advance(s, 2000);
    consumer_of(check, owner, sizeof(owner), &age_ms);
    EXPECT(check, strcmp(owner, "host-b:7") == 0);
    EXPECT_NUMBER(check, age_ms, 2000);
    subject_advance(s, 40000);
    consumer_of(check, owner, sizeof(owner), &age_ms);
    EXPECT(check, strcmp(owner, "host-b:7") == 0);
    EXPECT_NUMBER(check, age_ms, 42000);
}

/* Three jobs: one ready, one active, one delayed. */
static void fill(struct check *check, struct dray_lease *active)
{
    struct subject *s = &check->subject;
    struct dray_job late = job_of("late");

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 60000);
    *active = lease_of(&job, DRAY_VERDICT_DONE);
    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    late.delay_ms = 5000;
    EXPECT_CODE(check, subject_push_one(s, late), DRAY_OK);
}

static void tended(struct check *check, uint32_t what)
{
    struct subject *s = &check->subject;
    struct dray_lease active = {0};
    struct dray_tend found;

    fill(check, &active);
    int32_t code = subject_tend(s, what, &found);
    if (!check->failure[0] && code == DRAY_UNSUPPORTED) {
        snprintf(check->missing, sizeof(check->missing), "tend does not do this");
        return;
    }
    EXPECT_CODE(check, code, DRAY_OK);
    EXPECT_NUMBER(check, found.damaged, 0);
    EXPECT_NUMBER(check, found.repaired, 0);
    EXPECT(check, what != DRAY_TEND_CHECK || found.records >= 3);
    EXPECT(check, str_is(subject_take(s, 60000).id, "b"));
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_settle(s, active), DRAY_OK);
    subject_advance(s, 5000);
    EXPECT(check, str_is(subject_take(s, 60000).id, "late"));
}

static void tend_checks(struct check *check)
{
    tended(check, DRAY_TEND_CHECK);
}

static void tend_repairs(struct check *check)
{
    tended(check, DRAY_TEND_REPAIR);
}

static void tend_compacts(struct check *check)
{
    tended(check, DRAY_TEND_COMPACT);
}

const struct check_row checks_store[] = {
    {"D1", "a durability is given or refused, never less", levels, 0},
    {"D2", "jobs and leases outlive closing the store", keeps_jobs, 0},
    {"D2", "outcomes outlive closing the store", keeps_outcomes, 0},
    {"D3", "attempts and tokens outlive closing the store", keeps_attempts, 0},
    {"D4", "a job that existed outlives closing the store", exists_is_kept, 0},
    {"T17", "a pause outlives closing the store", keeps_pause, NEED_CHANGE},
    {"T3", "unique keys outlive closing the store", keeps_keys, DRAY_CAN_UNIQUE},
    {"U1", "a job sent again is stored once", resends, 0},
    {"R2", "what is refused is not done, and can be done later", refused_is_not_done, 0},
    {"C1", "clocks that jump cost leases, never safety", clock_is_no_judge, 0},
    {"R6", "a refusal says why in one line", says_why, 0},
    {"J6", "the last consumer is the latest, and grows old", consumer_moves_on, NEED_STATS},
    {"tend", "checking a sound store finds and changes nothing", tend_checks, NEED_TEND},
    {"tend", "repairing a sound store changes nothing", tend_repairs, NEED_TEND},
    {"tend", "compacting keeps every job", tend_compacts, NEED_TEND},
    {0},
};
