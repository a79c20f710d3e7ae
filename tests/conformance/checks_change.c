/* SPDX-License-Identifier: Apache-2.0 */
/* T12 to T15, T17: changes made by people, and restoring. */
#include "check.h"

static int32_t change(struct check *check, uint32_t what, const char *id)
{
    return subject_change(&check->subject, what, "q", id, 0);
}

static void end_with(struct check *check, const char *id, uint32_t verdict)
{
    struct subject *s = &check->subject;
    struct dray_job job = subject_take(s, 1000);

    EXPECT(check, str_is(job.id, id));
    struct dray_lease lease = lease_of(&job, verdict);
    lease.error = str("broken");
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
}

static void kicks(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("late");

    job.delay_ms = 5000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "late"), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "late"), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "nobody"), DRAY_NOTFOUND);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "late"));
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "late"), DRAY_CONFLICT);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_RELEASE);
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    end_with(check, "late", DRAY_VERDICT_BURY);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "late"), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "late") && job.error.len == 0);
    EXPECT_NUMBER(check, job.attempts, 1);
    EXPECT_NUMBER(check, job.releases, 0);
}

static void kick_and_key(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job a = job_of("a"), b = job_of("b"), c = job_of("c");

    a.unique = b.unique = c.unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, a), DRAY_OK);
    end_with(check, "a", DRAY_VERDICT_BURY);
    EXPECT_CODE(check, subject_push_one(s, b), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "a"), DRAY_DUPLICATE);
    end_with(check, "b", DRAY_VERDICT_DONE);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "a"), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, c), DRAY_DUPLICATE);
}

static void removes(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, change(check, DRAY_CHANGE_REMOVE, "a"), DRAY_NOTFOUND);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_REMOVE, "a"), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_REMOVE, "a"), DRAY_CONFLICT);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_REMOVE, "q", "a", DRAY_CHANGE_FORCE), DRAY_OK);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_STALE);
    subject_advance(s, 5000);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_REMOVE, "a"), DRAY_NOTFOUND);
}

static void cancels_waiting(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("b");

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    job.delay_ms = 1000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_CANCEL, "a"), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_CANCEL, "b"), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_CANCEL, "a"), DRAY_CONFLICT);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_CANCEL, "nobody"), DRAY_NOTFOUND);
    subject_advance(s, 2000);
    EXPECT(check, !subject_take(s, 1000).id.len);
    if (!s->driver->list)
        return;
    job = subject_find(s, "a");
    EXPECT_NUMBER(check, job.state, DRAY_STATE_DEAD);
    EXPECT(check, str_is(job.error, "cancelled"));
}

/* Marks the job "a" while it is active. */
static struct dray_job marked(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = {0};

    if (subject_push_one(s, job_of("a")) == DRAY_OK)
        job = subject_take(s, 1000);
    if (job.id.len && change(check, DRAY_CHANGE_CANCEL, "a") != DRAY_OK)
        job.id.len = 0;
    return job;
}

static void cancel_and_fail(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = marked(check);

    EXPECT(check, str_is(job.id, "a"));
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_CANCELLED);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_RELEASE)), DRAY_CANCELLED);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_REPEAT)), DRAY_CANCELLED);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_OK);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_STALE);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void cancel_and_succeed(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = marked(check);

    EXPECT(check, str_is(job.id, "a"));
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_REMOVE, "a"), DRAY_NOTFOUND);
}

static void cancel_is_told(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = marked(check);

    EXPECT(check, str_is(job.id, "a"));
    subject_advance(s, 900);
    EXPECT_CODE(check, subject_extend(s, lease_of(&job, 0), 1000), DRAY_CANCELLED);
    subject_advance(s, 900);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_extend(s, lease_of(&job, 0), 1000), DRAY_CANCELLED);
}

static void kicked_after_cancel(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = marked(check);

    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_KICK, "a"), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a") && job.flags == 0);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_OK);
}

static void pauses(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job;

    EXPECT_CODE(check, change(check, DRAY_CHANGE_PAUSE, NULL), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT(check, s->next_ms != 0);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_RESUME, NULL), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    EXPECT_CODE(check, change(check, DRAY_CHANGE_PAUSE, NULL), DRAY_OK);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    job = job_of("b");
    job.queue = str("other");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_RESUME, NULL), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void paused_is_swept(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, change(check, DRAY_CHANGE_PAUSE, NULL), DRAY_OK);
    subject_advance(s, 1100);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_STALE);
}

static void restores(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a"), got;

    job.state = DRAY_STATE_ACTIVE;
    job.attempts = 3;
    job.releases = 1;
    job.token.counter = 40;
    job.created_ms = s->wall_ms - 86400000;
    job.error = str("earlier");
    job.progress = str("half");
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESTORE, NULL, NULL), DRAY_OK);
    got = subject_take(s, 1000);
    EXPECT(check, str_is(got.id, "a"));
    EXPECT_NUMBER(check, got.attempts, 4);
    EXPECT_NUMBER(check, got.releases, 1);
    EXPECT_NUMBER(check, got.token.counter, 41);
    EXPECT_NUMBER(check, got.created_ms, job.created_ms);
    EXPECT(check, str_is(got.error, "earlier") && str_is(got.progress, "half"));
    EXPECT_CODE(check, subject_settle(s, lease_of(&got, DRAY_VERDICT_DONE)), DRAY_OK);
    job.id = str("b");
    job.state = DRAY_STATE_DELAYED;
    job.run_at_ms = s->wall_ms + 3000;
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESTORE, NULL, NULL), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 3000);
    EXPECT(check, str_is(subject_take(s, 1000).id, "b"));
}

static void restores_ended(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a"), got;

    job.state = DRAY_STATE_DEAD;
    job.attempts = 4;
    job.created_ms = s->wall_ms - 2000;
    job.ended_ms = s->wall_ms - 1000;
    job.error = str("gave up");
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESTORE, NULL, NULL), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    got = subject_find(s, "a");
    EXPECT_NUMBER(check, got.state, DRAY_STATE_DEAD);
    EXPECT_NUMBER(check, got.attempts, 4);
    EXPECT_NUMBER(check, got.ended_ms, job.ended_ms);
    EXPECT(check, str_is(got.error, "gave up"));
    job.id = str("b");
    job.state = DRAY_STATE_DONE;
    job.result = str("[1]");
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESTORE, NULL, NULL), DRAY_OK);
    got = subject_find(s, "b");
    EXPECT(check, got.state == DRAY_STATE_DONE && str_is(got.result, "[1]"));
}

const struct check_row checks_change[] = {
    {"T12", "kick makes delayed and dead jobs ready", kicks, NEED_CHANGE | DRAY_CAN_KEEP},
    {"T12", "kick does not take a unique key from another", kick_and_key,
        NEED_CHANGE | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP},
    {"T13", "removed is gone; an active job only by force", removes, NEED_CHANGE},
    {"T14", "restore keeps what a job has lived through", restores, 0},
    {"T14", "restore keeps ended jobs", restores_ended, DRAY_CAN_KEEP | NEED_LIST},
    {"T15", "a waiting job that is cancelled is dead", cancels_waiting,
        NEED_CHANGE | DRAY_CAN_KEEP},
    {"T15", "a cancelled job that fails can only be buried", cancel_and_fail, NEED_CHANGE},
    {"T15", "a cancelled job may still succeed", cancel_and_succeed, NEED_CHANGE},
    {"T15", "extend tells of a cancel and renews", cancel_is_told, NEED_CHANGE | NEED_EXTEND},
    {"T15", "a kicked job is no longer cancelled", kicked_after_cancel,
        NEED_CHANGE | DRAY_CAN_KEEP},
    {"T17", "a paused queue hands out nothing and takes pushes", pauses, NEED_CHANGE},
    {"T17", "a paused queue is swept", paused_is_swept, NEED_CHANGE},
    {0},
};
