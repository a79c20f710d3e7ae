/* SPDX-License-Identifier: Apache-2.0 */
/* T1 to T4, J1, J5: what comes in. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ready_at_once(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    EXPECT(check, str_is(job.queue, "q") && str_is(job.type, "t"));
    EXPECT(check, str_is(job.payload, "{\"n\":1}"));
    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
}

static void delayed(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    job.delay_ms = 5000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT(check, s->next_ms == DRAY_NEXT_UNKNOWN || s->next_ms == 5000);
    subject_advance(s, 4999);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void scheduled(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    job.run_at_ms = s->wall_ms + 60000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    subject_advance(s, 59999);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
    job = job_of("b");
    job.run_at_ms = s->wall_ms - 1000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 1000).id, "b"));
}

static void exists(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
    job.priority = DRAY_PRIORITY_NORMAL;
    job.delay_ms = 1000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
}

static void conflict(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job.payload = str("{\"n\":2}");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_CONFLICT);
    job = job_of("a");
    job.type = str("other");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_CONFLICT);
    EXPECT(check, str_is(subject_take(s, 1000).payload, "{\"n\":1}"));
}

static void conflict_key(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job.unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_CONFLICT);
}

static void per_queue(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job.queue = str("other");
    job.payload = str("{\"n\":2}");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 1000).payload, "{\"n\":1}"));
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void all_or_none(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[4] = {job_of("b"), job_of("a"), job_of("c"), job_of("a")};
    int32_t answers[4];

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_push(s, jobs, 4, 0, answers, NULL), DRAY_OK);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_EXISTS);
    EXPECT_CODE(check, answers[2], DRAY_OK);
    EXPECT_CODE(check, answers[3], DRAY_EXISTS);
    jobs[0] = job_of("d");
    jobs[1] = job_of("a");
    jobs[1].payload = str("[]");
    jobs[2] = job_of("e");
    jobs[3] = job_of("b");
    EXPECT_CODE(check, subject_push(s, jobs, 4, 0, answers, NULL), DRAY_CONFLICT);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_CONFLICT);
    EXPECT_CODE(check, answers[2], DRAY_OK);
    EXPECT_CODE(check, answers[3], DRAY_EXISTS);
    EXPECT_CODE(check, subject_reserve(s, 8, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 3);
}

static void collide_inside(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[3] = {job_of("a"), job_of("a"), job_of("b")};
    int32_t answers[3];

    EXPECT_CODE(check, subject_push(s, jobs, 3, 0, answers, NULL), DRAY_OK);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_EXISTS);
    jobs[0] = job_of("c");
    jobs[1] = job_of("d");
    jobs[2] = job_of("c");
    jobs[2].payload = str("7");
    EXPECT_CODE(check, subject_push(s, jobs, 3, 0, answers, NULL), DRAY_CONFLICT);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_OK);
    EXPECT_CODE(check, answers[2], DRAY_CONFLICT);
    EXPECT_CODE(check, subject_reserve(s, 8, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
}

static void full(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[4] = {job_of("a"), job_of("b"), job_of("c"), job_of("d")};
    const struct dray_job *list[4] = {&jobs[0], &jobs[1], &jobs[2], &jobs[3]};
    int32_t answers[4];
    struct dray_push group = {
        .queue = str("q"), .jobs = list, .answers = answers, .njobs = 4, .capacity = 3};

    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_FULL);
    EXPECT(check, s->error.text[0]);
    EXPECT_CODE(check, subject_reserve(s, 8, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
    group.njobs = 3;
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_OK);
    group.jobs = list + 3;
    group.njobs = 1;
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_FULL);
    group.jobs = list;
    group.njobs = 3;
    EXPECT_CODE(check, subject_push_group(s, &group), DRAY_OK);
    EXPECT_CODE(check, answers[2], DRAY_EXISTS);
}

static void too_large_a_group(struct check *check)
{
    struct subject *s = &check->subject;
    uint32_t n = s->driver->max_push + 1;
    struct dray_job *jobs = n <= 100000 ? calloc(n, sizeof(*jobs)) : NULL;
    char(*ids)[16] = jobs ? calloc(n, sizeof(*ids)) : NULL;

    for (uint32_t i = 0; ids && i < n; i++) {
        snprintf(ids[i], sizeof(ids[i]), "j%u", i);
        jobs[i] = job_of(ids[i]);
    }
    int32_t code = ids ? subject_push(s, jobs, n, 0, NULL, NULL) : DRAY_LIMIT;
    free(ids);
    free(jobs);
    EXPECT_CODE(check, code, DRAY_LIMIT);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void duplicate(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[2] = {job_of("a"), job_of("b")};
    char holders[2][DRAY_NAME_MAX + 1];
    int32_t answers[2];

    jobs[0].unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, jobs[0]), DRAY_OK);
    jobs[1].unique = str("k");
    EXPECT_CODE(check, subject_push(s, &jobs[1], 1, 0, answers, holders), DRAY_DUPLICATE);
    EXPECT_CODE(check, answers[0], DRAY_DUPLICATE);
    EXPECT(check, strcmp(holders[0], "a") == 0);
    /* Active still holds it, gone does not. */
    struct dray_job job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a") && str_is(job.unique, "k"));
    EXPECT_CODE(check, subject_push_one(s, jobs[1]), DRAY_DUPLICATE);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, jobs[1]), DRAY_OK);
    /* A dead job does not hold it either. */
    job = subject_take(s, 1000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_OK);
    jobs[0].id = str("c");
    EXPECT_CODE(check, subject_push_one(s, jobs[0]), DRAY_OK);
}

static void duplicate_inside(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[3] = {job_of("a"), job_of("b"), job_of("c")};
    char holders[3][DRAY_NAME_MAX + 1];
    int32_t answers[3];

    jobs[0].unique = jobs[2].unique = str("k");
    EXPECT_CODE(check, subject_push(s, jobs, 3, 0, answers, holders), DRAY_DUPLICATE);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_OK);
    EXPECT_CODE(check, answers[2], DRAY_DUPLICATE);
    EXPECT(check, strcmp(holders[2], "a") == 0);
    EXPECT(check, !subject_take(s, 1000).id.len);
    jobs[2].queue = str("other");
    EXPECT_CODE(check, subject_push_one(s, jobs[0]), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, jobs[2]), DRAY_OK);
}

static void all_fields(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    job.name = str("Welcome to Ada \xc3\xa9");
    job.group = str("tenant-7");
    job.timeout_ms = 4100;
    job.max_attempts = 9;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    int64_t created = s->wall_ms;
    subject_advance(s, 10);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.name, "Welcome to Ada \xc3\xa9"));
    EXPECT(check, str_is(job.group, "tenant-7"));
    EXPECT_NUMBER(check, job.timeout_ms, 4100);
    EXPECT_NUMBER(check, job.max_attempts, 9);
    EXPECT_NUMBER(check, job.priority, DRAY_PRIORITY_NORMAL);
    EXPECT_NUMBER(check, job.attempts, 1);
    EXPECT_NUMBER(check, job.releases, 0);
    EXPECT_NUMBER(check, job.state, DRAY_STATE_ACTIVE);
    EXPECT_NUMBER(check, job.created_ms, created);
    EXPECT(check, job.error.len == 0 && job.result.len == 0 && job.progress.len == 0);
    EXPECT(check, job.token.counter == 1 && job.token.nonce == s->nonce);
}

const struct check_row checks_push[] = {
    {"T1", "a pushed job is handed out, once", ready_at_once, 0},
    {"T1", "a group is stored whole or not at all", all_or_none, NEED_GROUP},
    {"T1", "members of a group collide with each other", collide_inside, NEED_GROUP},
    {"T1", "a group above its capacity is refused whole", full, NEED_GROUP},
    {"T1", "a group above max_push is refused", too_large_a_group, 0},
    {"T2", "the same job again exists", exists, 0},
    {"T2", "other content under the same id conflicts", conflict, 0},
    {"T2", "another unique key under the same id conflicts", conflict_key, DRAY_CAN_UNIQUE},
    {"T3", "a unique key is held until the job ends", duplicate, DRAY_CAN_UNIQUE},
    {"T3", "a unique key holds within a group and a queue", duplicate_inside,
        DRAY_CAN_UNIQUE | NEED_GROUP},
    {"T4", "a delayed job is ready at its time, not before", delayed, 0},
    {"T4", "a scheduled job is ready at its time, not before", scheduled, 0},
    {"J1", "every field comes back", all_fields, 0},
    {"J5", "ids are per queue", per_queue, 0},
    {0},
};
