/* SPDX-License-Identifier: Apache-2.0 */
/* T6 to T9, T16 and the answers of batches: what becomes of a leased job. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static void ack_ends(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    subject_advance(s, 100000);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void again_after_delay(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_AGAIN);
    lease.delay_ms = 2000;
    lease.error = str("no route to host");
    lease.progress = str("3 of 9");
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    subject_advance(s, 1999);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    EXPECT(check, str_is(job.error, "no route to host"));
    EXPECT(check, str_is(job.progress, "3 of 9"));
    EXPECT_NUMBER(check, job.attempts, 2);
    lease = lease_of(&job, DRAY_VERDICT_AGAIN);
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.error, "no route to host") && str_is(job.progress, "3 of 9"));
}

static void long_notes(struct check *check)
{
    struct subject *s = &check->subject;
    char text[DRAY_NOTE_MAX];

    memset(text, 'e', sizeof(text));
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_AGAIN);
    lease.error = (struct dray_str){text, sizeof(text)};
    lease.progress = (struct dray_str){text, sizeof(text)};
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, str_same(job.error, lease.error) && str_same(job.progress, lease.progress));
}

static void releases(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    for (uint32_t i = 1; i <= 3; i++) {
        struct dray_job job = subject_take(s, 1000);
        EXPECT_NUMBER(check, job.attempts, 1);
        EXPECT_NUMBER(check, job.releases, i - 1);
        EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_RELEASE)), DRAY_OK);
    }
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_RELEASE);
    lease.delay_ms = 700;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 700);
    job = subject_take(s, 1000);
    EXPECT_NUMBER(check, job.releases, 4);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT_NUMBER(check, job.releases, 0);
    EXPECT_NUMBER(check, job.attempts, 2);
}

static void buries(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_BURY);
    lease.error = str("no such user");
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    subject_advance(s, 100000);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void dead_is_kept(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_BURY);
    lease.error = str("no such user");
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    int64_t ended = s->wall_ms;
    subject_advance(s, 50);
    job = subject_find(s, "a");
    EXPECT(check, str_is(job.error, "no such user"));
    EXPECT_NUMBER(check, job.state, DRAY_STATE_DEAD);
    EXPECT_NUMBER(check, job.attempts, 1);
    EXPECT_NUMBER(check, job.ended_ms, ended);
    job = subject_take(s, 1000);
    lease = lease_of(&job, DRAY_VERDICT_BURY);
    lease.flags = DRAY_LEASE_UNCHARGE;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    EXPECT_NUMBER(check, subject_find(s, "b").attempts, 0);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_EXISTS);
}

static void done_is_kept(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_DONE);
    lease.flags = DRAY_LEASE_KEEP;
    lease.result = str("{\"sent\":true}");
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    job = subject_find(s, "a");
    EXPECT_NUMBER(check, job.state, DRAY_STATE_DONE);
    EXPECT(check, str_is(job.result, "{\"sent\":true}"));
    EXPECT_NUMBER(check, job.ended_ms, s->wall_ms);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_EXISTS);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

/* Ends `n` jobs, one a second, buried or kept. */
static void end_some(struct check *check, int n, uint32_t verdict, const char *prefix)
{
    struct subject *s = &check->subject;
    char id[16];

    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%s%d", prefix, i);
        EXPECT_CODE(check, subject_push_one(s, job_of(id)), DRAY_OK);
        struct dray_job job = subject_take(s, 1000);
        struct dray_lease lease = lease_of(&job, verdict);
        lease.flags = verdict == DRAY_VERDICT_DONE ? DRAY_LEASE_KEEP : 0;
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
        subject_advance(s, 1000);
    }
}

static size_t count_states(struct subject *s, uint32_t states)
{
    struct dray_filter filter = {.states = states};

    return subject_list(s, &filter, 3) == DRAY_OK ? s->shown.n : SIZE_MAX;
}

static void prunes(struct check *check)
{
    struct subject *s = &check->subject;
    const uint32_t dead = 1u << DRAY_STATE_DEAD, done = 1u << DRAY_STATE_DONE;
    struct dray_str queue = str("q");
    struct dray_reserve want = {.max = 1,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 1000,
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = 2500,
        .keep_max = 100};

    end_some(check, 5, DRAY_VERDICT_BURY, "dead");
    end_some(check, 5, DRAY_VERDICT_DONE, "done");
    EXPECT_NUMBER(check, count_states(s, dead), 5);
    EXPECT_NUMBER(check, count_states(s, done), 5);
    want.keep_dead_ms = 7500; /* of ages 6 to 10 seconds those of 6 and 7 stay */
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, count_states(s, dead), 2);
    EXPECT_NUMBER(check, count_states(s, done), 5);
    want.keep_done_ms = 3500;
    want.nonce = 0;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, count_states(s, done), 3);
    want.keep_max = 4; /* the oldest goes: a dead one */
    want.nonce = 0;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, count_states(s, dead), 1);
    EXPECT_NUMBER(check, count_states(s, done), 3);
    EXPECT(check, subject_find(s, "dead4").id.len && subject_find(s, "done2").id.len);
}

static void repeats(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    if (s->driver->can & DRAY_CAN_UNIQUE)
        job.unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    int64_t created = s->wall_ms;
    uint64_t counter = 0;
    for (int i = 0; i < 3; i++) {
        job = subject_take(s, 1000);
        EXPECT(check, str_is(job.id, "a"));
        EXPECT_NUMBER(check, job.attempts, 1);
        EXPECT_NUMBER(check, job.created_ms, created);
        EXPECT(check, job.token.counter > counter);
        counter = job.token.counter;
        struct dray_lease lease = lease_of(&job, DRAY_VERDICT_REPEAT);
        lease.delay_ms = 60000;
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
        subject_advance(s, 59999);
        EXPECT(check, !subject_take(s, 1000).id.len);
        subject_advance(s, 1);
    }
    if (!job.unique.len)
        return;
    struct dray_job other = job_of("b");
    other.unique = str("k");
    EXPECT_CODE(check, subject_push_one(s, other), DRAY_DUPLICATE);
}

static void answers_one_by_one(struct check *check)
{
    struct subject *s = &check->subject;
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct dray_lease leases[5];
    const struct dray_lease *list[5];
    int32_t answers[5];

    for (int i = 0; i < 4; i++)
        EXPECT_CODE(check, subject_push_one(s, job_of(ids[i])), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, 4, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 4);
    for (int i = 0; i < 4; i++) {
        leases[i] = lease_of(&s->shown.at[i].job, DRAY_VERDICT_DONE);
        list[i] = &leases[i];
    }
    leases[1].token.nonce++;
    leases[2].verdict = DRAY_VERDICT_AGAIN;
    leases[4] = leases[0];
    list[4] = &leases[4];
    EXPECT_CODE(check, subject_settle_all(s, list, answers, 5), DRAY_OK);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_STALE);
    EXPECT_CODE(check, answers[2], DRAY_OK);
    EXPECT_CODE(check, answers[3], DRAY_OK);
    EXPECT_CODE(check, answers[4], DRAY_STALE);
    struct dray_str c = list[2]->id;
    EXPECT_CODE(check, subject_reserve(s, 4, 1000), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_same(s->shown.at[0].job.id, c));
}

static void acks_in_one_call(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_call call = {.size = sizeof(call), .budget_ms = 5000, .error = &s->error};
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct dray_lease leases[4];
    const struct dray_lease *list[4];
    int32_t answers[4] = {0};

    for (int i = 0; i < 4; i++)
        EXPECT_CODE(check, subject_push_one(s, job_of(ids[i])), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, 4, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 4);
    for (int i = 0; i < 4; i++) {
        leases[i] = lease_of(&s->shown.at[i].job, DRAY_VERDICT_DONE);
        list[i] = &leases[i];
    }
    leases[2].token.counter = 99;
    EXPECT_CODE(check, s->driver->ack(s->self, &call, list, answers, 4), DRAY_OK);
    EXPECT_CODE(check, answers[0], DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_OK);
    EXPECT_CODE(check, answers[2], DRAY_STALE);
    EXPECT_CODE(check, answers[3], DRAY_OK);
    leases[2].token.counter = leases[1].token.counter;
    leases[2].verdict = DRAY_VERDICT_AGAIN;
    leases[1].verdict = DRAY_VERDICT_BURY;
    answers[1] = answers[2] = DRAY_OK;
    EXPECT_CODE(check, s->driver->retry(s->self, &call, list + 1, answers + 1, 2), DRAY_OK);
    EXPECT_CODE(check, answers[1], DRAY_STALE);
    EXPECT_CODE(check, answers[2], DRAY_OK);
}

static void whole_turn(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, 2, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
    struct dray_lease done = lease_of(&s->shown.at[0].job, DRAY_VERDICT_AGAIN);
    struct dray_lease held = lease_of(&s->shown.at[1].job, 0);
    const struct dray_lease *settle[] = {&done}, *extend[] = {&held, &done};
    struct dray_job fresh = job_of("c"), wrong = job_of("a");
    const struct dray_job *one[] = {&fresh}, *two[] = {&wrong};
    int32_t settled = DRAY_OK, extended[2] = {0}, pushed[2] = {0};
    wrong.payload = str("2");
    held.lease_ms = 5000;
    done.lease_ms = 5000;
    struct dray_push first = {
        .size = sizeof(first), .queue = queue, .jobs = two, .answers = &pushed[0], .njobs = 1};
    struct dray_push second = {
        .size = sizeof(second), .queue = queue, .jobs = one, .answers = &pushed[1], .njobs = 1};
    struct dray_push *groups[] = {&first, &second};
    struct dray_reserve want = {.size = sizeof(want),
        .max = 4,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 1000,
        .nonce = 991,
        .owner = str("host-a:41"),
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    struct dray_turn turn = {.nsettle = 1,
        .npush = 2,
        .nextend = 2,
        .settle = settle,
        .settle_answers = &settled,
        .push = groups,
        .extend = extend,
        .extend_answers = extended,
        .reserve = &want};

    EXPECT_CODE(check, subject_turn(s, &turn), DRAY_OK);
    EXPECT_CODE(check, settled, DRAY_OK);
    EXPECT_CODE(check, first.code, DRAY_CONFLICT);
    EXPECT_CODE(check, second.code, DRAY_OK);
    EXPECT_CODE(check, extended[0], DRAY_OK);
    EXPECT_CODE(check, extended[1], DRAY_STALE);
    EXPECT_CODE(check, turn.reserve_code, DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
    EXPECT(check, str_same(s->shown.at[0].job.id, done.id));
    EXPECT(check, str_is(s->shown.at[1].job.id, "c"));
    subject_advance(s, 1100);
    EXPECT_CODE(check, subject_reserve(s, 4, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
}

const struct check_row checks_settle[] = {
    {"T6", "an acked job never starts again", ack_ends, 0},
    {"T6", "a done job is kept with its result", done_is_kept, DRAY_CAN_KEEP | NEED_LIST},
    {"T7", "again: after the delay, with its error", again_after_delay, 0},
    {"J1", "errors and progress of 4 KiB come back", long_notes, 0},
    {"T8", "a buried job never starts again", buries, 0},
    {"T8", "a dead job is kept with its error", dead_is_kept, DRAY_CAN_KEEP | NEED_LIST},
    {"T9", "a release gives the attempt back", releases, 0},
    {"T16", "a repeated job starts over and keeps its id", repeats, 0},
    {"J3", "ended jobs are kept as long as wanted", prunes, DRAY_CAN_KEEP | NEED_LIST},
    {"R1", "each lease has its own answer", answers_one_by_one, NEED_BATCH},
    {"R1", "each lease of one ack has its own answer", acks_in_one_call, NEED_BATCH},
    {"T1", "parts of a turn do not touch each other", whole_turn,
        NEED_TURN | NEED_BATCH | NEED_EXTEND | DRAY_CAN_PRIORITY},
    {0},
};
