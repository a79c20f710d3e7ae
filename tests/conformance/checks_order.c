/* SPDX-License-Identifier: Apache-2.0 */
/* O1, O2, O3: the order of handing out, and that outcomes need none. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static void push_named(struct check *check, const char *id, uint32_t priority, uint64_t delay_ms)
{
    struct dray_job job = job_of(id);

    job.priority = priority;
    job.delay_ms = delay_ms;
    EXPECT_CODE(check, subject_push_one(&check->subject, job), DRAY_OK);
}

static void first_in_first_out(struct check *check)
{
    struct subject *s = &check->subject;
    char ids[20][8];

    for (int i = 0; i < 20; i++) {
        snprintf(ids[i], sizeof(ids[i]), "j%d", 37 * i % 20);
        push_named(check, ids[i], DRAY_PRIORITY_NORMAL, 0);
    }
    for (int i = 0; i < 20; i++)
        EXPECT(check, str_is(subject_take(s, 60000).id, ids[i]));
}

static void batch_keeps_order(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job jobs[8];
    static const char *const ids[] = {"h", "b", "g", "a", "f", "c", "e", "d"};

    for (int i = 0; i < 8; i++)
        jobs[i] = job_of(ids[i]);
    EXPECT_CODE(check, subject_push(s, jobs, 8, 0, NULL, NULL), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, 8, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 8);
    for (int i = 0; i < 8; i++)
        EXPECT(check, str_is(s->shown.at[i].job.id, ids[i]));
}

static void lowest_first(struct check *check)
{
    struct subject *s = &check->subject;
    static const uint32_t order[] = {5, 9, 0, 3, 7, 1, 8, 2, 6, 4};
    char ids[20][8];

    for (uint32_t i = 0; i < 20; i++) {
        snprintf(ids[i], sizeof(ids[i]), "p%u-%u", order[i % 10], i / 10);
        push_named(check, ids[i], order[i % 10], 0);
    }
    for (uint32_t i = 0; i < 20; i++) {
        char wanted[8];
        snprintf(wanted, sizeof(wanted), "p%u-%u", i / 2, i % 2);
        EXPECT(check, str_is(subject_take(s, 60000).id, wanted));
    }
}

static void takes_its_place_again(struct check *check)
{
    struct subject *s = &check->subject;

    push_named(check, "a", 5, 0);
    push_named(check, "b", 5, 0);
    struct dray_job job = subject_take(s, 60000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_OK);
    push_named(check, "c", 5, 0);
    EXPECT(check, str_is(subject_take(s, 60000).id, "b"));
    EXPECT(check, str_is(subject_take(s, 60000).id, "a"));
    EXPECT(check, str_is(subject_take(s, 60000).id, "c"));
}

static void due_keeps_priority(struct check *check)
{
    struct subject *s = &check->subject;

    push_named(check, "late-low", 9, 1000);
    push_named(check, "late-high", 0, 2000);
    push_named(check, "now", 5, 0);
    subject_advance(s, 3000);
    EXPECT(check, str_is(subject_take(s, 60000).id, "late-high"));
    EXPECT(check, str_is(subject_take(s, 60000).id, "now"));
    EXPECT(check, str_is(subject_take(s, 60000).id, "late-low"));
}

static void nobody_starves(struct check *check)
{
    struct subject *s = &check->subject;
    char id[16];

    push_named(check, "patient", 5, 0);
    int found = 0;
    for (int i = 0; i < 50 && !found; i++) {
        snprintf(id, sizeof(id), "new%d", i);
        push_named(check, id, 5, 0);
        struct dray_job job = subject_take(s, 60000);
        found = str_is(job.id, "patient");
        EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    }
    EXPECT(check, found);
}

#define MANY 10000u
#define AT_ONCE 100u

/* How many to take in one call. */
static uint32_t at_once(const struct subject *s)
{
    uint32_t most = s->driver->max_push < AT_ONCE ? s->driver->max_push : AT_ONCE;

    return s->driver->max_batch < most ? s->driver->max_batch : most;
}

/* Pushes jobs from number `from` on, and tells where to go on. */
static uint32_t push_numbers(struct subject *s, uint32_t from)
{
    struct dray_job jobs[AT_ONCE];
    char ids[AT_ONCE][16];
    uint32_t n = at_once(s) < MANY - from ? at_once(s) : MANY - from;

    for (uint32_t i = 0; i < n; i++) {
        snprintf(ids[i], sizeof(ids[i]), "n%u", from + i);
        jobs[i] = job_of(ids[i]);
    }
    return subject_push(s, jobs, n, 0, NULL, NULL) == DRAY_OK ? from + n : MANY;
}

static unsigned number_of(const struct dray_job *job)
{
    char id[16];
    unsigned number = MANY;

    snprintf(id, sizeof(id), "%.*s", (int)job->id.len, job->id.data);
    return sscanf(id, "n%u", &number) == 1 && number < MANY ? number : MANY;
}

/* Settles those jobs handed out that are to have this verdict; tells how many, 0 on a failure. Two
   of three go back to the end, once. */
static uint32_t settle_as(struct subject *s, uint32_t verdict, unsigned char *done)
{
    struct dray_lease leases[AT_ONCE];
    const struct dray_lease *list[AT_ONCE] = {0};
    int32_t answers[AT_ONCE];
    uint32_t n = 0;

    for (size_t i = 0; i < s->shown.n && i < AT_ONCE; i++) {
        const struct dray_job *job = &s->shown.at[i].job;
        unsigned number = number_of(job);
        int again = number % 3 && job->attempts == 1;
        if (again != (verdict == DRAY_VERDICT_AGAIN))
            continue;
        leases[n] = lease_of(job, verdict);
        list[n] = &leases[n];
        n++;
        if (!again)
            done[number]++;
    }
    subject_settle_all(s, list, answers, n);
    for (uint32_t i = 0; i < n; i++) {
        if (answers[i] != DRAY_OK)
            return 0;
    }
    return n;
}

static uint32_t take_and_settle(struct subject *s, unsigned char *done)
{
    if (subject_reserve(s, at_once(s), 60000) != DRAY_OK)
        return 0;
    return settle_as(s, DRAY_VERDICT_AGAIN, done) + settle_as(s, DRAY_VERDICT_DONE, done);
}

static void many(struct check *check)
{
    struct subject *s = &check->subject;
    unsigned char *done = calloc(MANY + 1, 1);
    uint32_t taken = 0, missed = 0;

    for (uint32_t from = 0, turns = 0; done && from < MANY; turns++) {
        from = push_numbers(s, from);
        if (turns % 4 == 0)
            taken += take_and_settle(s, done);
    }
    for (uint32_t n = 1; done && n; taken += n)
        n = take_and_settle(s, done);
    for (uint32_t i = 0; done && i < MANY; i++)
        missed += done[i] != 1;
    free(done);
    EXPECT_NUMBER(check, missed, 0);
    EXPECT_NUMBER(check, taken, MANY + MANY - (MANY + 2) / 3);
}

#define TAKEN 9

/* Handlers end when they end. */
static void outcomes_in_any_order(struct check *check)
{
    static const int order[TAKEN] = {4, 0, 7, 2, 8, 1, 6, 3, 5};
    struct subject *s = &check->subject;
    struct dray_job jobs[TAKEN];
    char ids[TAKEN][4];

    for (int i = 0; i < TAKEN; i++) {
        snprintf(ids[i], sizeof(ids[i]), "j%d", i);
        jobs[i] = job_of(ids[i]);
        push_named(check, ids[i], DRAY_PRIORITY_NORMAL, 0);
    }
    for (int i = 0; i < TAKEN; i++) {
        struct dray_job taken = subject_take(s, 60000);
        EXPECT_NUMBER(check, taken.id.len, 2);
        struct dray_job *job = &jobs[(taken.id.data[1] - '0') % TAKEN];
        job->token = taken.token;
        job->ref = taken.ref;
    }
    for (int i = 0; i < TAKEN; i++) {
        struct dray_job *job = &jobs[order[i]];
        uint32_t verdict = i % 3 ? DRAY_VERDICT_DONE : DRAY_VERDICT_BURY;
        EXPECT_CODE(check, subject_settle(s, lease_of(job, verdict)), DRAY_OK);
    }
    EXPECT_CODE(check, subject_reserve(s, 1, 60000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
}

const struct check_row checks_order[] = {
    {"O1", "in the order of entering ready", first_in_first_out, DRAY_CAN_PRIORITY},
    {"O1", "a batch keeps its order", batch_keeps_order,
        DRAY_CAN_PRIORITY | NEED_GROUP | NEED_BATCH},
    {"O1", "the lowest priority number first", lowest_first, DRAY_CAN_PRIORITY},
    {"O1", "a retried job takes its place at the end", takes_its_place_again, DRAY_CAN_PRIORITY},
    {"O1", "a due job keeps its priority", due_keeps_priority, DRAY_CAN_PRIORITY},
    {"O2", "outcomes are taken in any order", outcomes_in_any_order, 0},
    {"O3", "nobody starves within a priority", nobody_starves, 0},
    {"O3", "ten thousand jobs are each done once", many, NEED_GROUP | NEED_BATCH},
    {0},
};
