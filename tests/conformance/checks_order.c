/* SPDX-License-Identifier: Apache-2.0 */
/* O1, O3: the order of handing out. */
#include "check.h"

#include <stdio.h>

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

const struct check_row checks_order[] = {
    {"O1", "in the order of entering ready", first_in_first_out, DRAY_CAN_PRIORITY},
    {"O1", "a batch keeps its order", batch_keeps_order,
        DRAY_CAN_PRIORITY | NEED_GROUP | NEED_BATCH},
    {"O1", "the lowest priority number first", lowest_first, DRAY_CAN_PRIORITY},
    {"O1", "a retried job takes its place at the end", takes_its_place_again, DRAY_CAN_PRIORITY},
    {"O1", "a due job keeps its priority", due_keeps_priority, DRAY_CAN_PRIORITY},
    {"O3", "nobody starves within a priority", nobody_starves, 0},
    {0},
};
