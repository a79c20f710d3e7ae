/* SPDX-License-Identifier: Apache-2.0 */
/* T5, T10, T11, F1 to F4, C2: handing out, renewing, expiring. */
#include "check.h"

#include <stdio.h>

static void counts_attempts(struct check *check)
{
    struct subject *s = &check->subject;
    uint64_t last = 0;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    for (uint32_t i = 1; i <= 4; i++) {
        struct dray_job job = subject_take(s, 1000);
        EXPECT(check, str_is(job.id, "a"));
        EXPECT_NUMBER(check, job.attempts, i);
        EXPECT(check, job.token.counter > last);
        EXPECT(check, job.token.nonce == s->nonce);
        last = job.token.counter;
        EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_AGAIN)), DRAY_OK);
    }
}

static void at_most(struct check *check)
{
    struct subject *s = &check->subject;
    char ids[5][8];

    for (int i = 0; i < 5; i++) {
        snprintf(ids[i], sizeof(ids[i]), "j%d", i);
        EXPECT_CODE(check, subject_push_one(s, job_of(ids[i])), DRAY_OK);
    }
    EXPECT_CODE(check, subject_reserve(s, 0, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
    EXPECT(check, s->next_ms == 0 || s->next_ms == DRAY_NEXT_UNKNOWN);
    EXPECT_CODE(check, subject_reserve(s, 3, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 3);
    EXPECT(check, s->next_ms == 0 || s->next_ms == DRAY_NEXT_UNKNOWN);
    EXPECT_CODE(check, subject_reserve(s, 3, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
    EXPECT_CODE(check, subject_reserve(s, 3, 1000), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
}

static void queues_in_turn(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queues[2] = {str("second"), str("first")};
    struct dray_job job = job_of("a");
    struct dray_reserve want = {.max = 1, .queues = queues, .nqueues = 2, .lease_ms = 1000};

    job.queue = queues[1];
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job.queue = queues[0];
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job.queue = str("third");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_is(s->shown.at[0].job.queue, "second"));
    want.max = 5;
    want.nonce = 0;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_is(s->shown.at[0].job.queue, "first"));
}

static void expires(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_DONE);
    subject_advance(s, 999);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT(check, s->next_ms == DRAY_NEXT_UNKNOWN || s->next_ms <= 2);
    subject_advance(s, 2);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    EXPECT_NUMBER(check, job.attempts, 2);
    EXPECT(check, str_is(job.error, "lease expired"));
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void late_ack_wins(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    subject_advance(s, 60000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
}

static void sweep_voids(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    subject_advance(s, 1100);
    EXPECT_CODE(check, subject_reserve(s, 0, 1000), DRAY_OK);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_STALE);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_STALE);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void extends(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, 0);
    subject_advance(s, 900);
    EXPECT_CODE(check, subject_extend(s, lease, 1000), DRAY_OK);
    subject_advance(s, 900);
    EXPECT(check, !subject_take(s, 1000).id.len);
    /* Never shortened. */
    EXPECT_CODE(check, subject_extend(s, lease, 10000), DRAY_OK);
    EXPECT_CODE(check, subject_extend(s, lease, 10), DRAY_OK);
    subject_advance(s, 9000);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1100);
    job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    EXPECT_CODE(check, subject_extend(s, lease, 1000), DRAY_STALE);
}

static void extend_beside_others(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_lease leases[3];
    static const char *const ids[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++) {
        EXPECT_CODE(check, subject_push_one(s, job_of(ids[i])), DRAY_OK);
        struct dray_job job = subject_take(s, 1000);
        leases[i] = lease_of(&job, 0);
    }
    EXPECT_CODE(check, subject_extend(s, leases[1], 5000), DRAY_OK);
    EXPECT_CODE(check, subject_extend(s, leases[0], 3000), DRAY_OK);
    subject_advance(s, 1100);
    EXPECT(check, str_is(subject_take(s, 60000).id, "c"));
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 2000);
    EXPECT(check, str_is(subject_take(s, 60000).id, "a"));
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 2000);
    EXPECT(check, str_is(subject_take(s, 60000).id, "b"));
}

static void extend_carries_progress(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, 0);
    lease.progress = str("half");
    EXPECT_CODE(check, subject_extend(s, lease, 1000), DRAY_OK);
    EXPECT(check, str_is(subject_find(s, "a").progress, "half"));
    lease.progress = str("");
    EXPECT_CODE(check, subject_extend(s, lease, 1000), DRAY_OK);
    EXPECT(check, str_is(subject_find(s, "a").progress, "half"));
}

static void wrong_tokens(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 60000);
    for (uint32_t verdict = DRAY_VERDICT_DONE; verdict <= DRAY_VERDICT_REPEAT; verdict++) {
        struct dray_lease lease = lease_of(&job, verdict);
        lease.token.counter++;
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
        lease = lease_of(&job, verdict);
        lease.token.nonce ^= 1;
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
        lease = lease_of(&job, verdict);
        lease.id = str("nobody");
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
        lease = lease_of(&job, verdict);
        lease.queue = str("nowhere");
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
    }
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    for (uint32_t verdict = DRAY_VERDICT_DONE; verdict <= DRAY_VERDICT_REPEAT; verdict++)
        EXPECT_CODE(check, subject_settle(s, lease_of(&job, verdict)), DRAY_STALE);
}

static void hints_are_hints(struct check *check)
{
    struct subject *s = &check->subject;
    static const uint64_t wrong[] = {1, 2, 16384, 16385, 1u << 20, UINT32_MAX, UINT64_MAX};

    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    struct dray_job other = subject_take(s, 60000);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]) + 2; i++) {
        EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
        struct dray_job job = subject_take(s, 60000);
        struct dray_lease lease = lease_of(&job, DRAY_VERDICT_DONE);
        lease.ref = i < 7 ? wrong[i] : i == 7 ? 0 : other.ref;
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
        EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
    }
    EXPECT_CODE(check, subject_settle(s, lease_of(&other, DRAY_VERDICT_DONE)), DRAY_OK);
}

static void tokens_rise_for_life(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_BURY)), DRAY_OK);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_KICK, "q", "a", 0), DRAY_OK);
    struct dray_job again = subject_take(s, 1000);
    EXPECT(check, str_is(again.id, "a"));
    EXPECT_NUMBER(check, again.attempts, 1);
    EXPECT(check, again.token.counter > job.token.counter);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_STALE);
    EXPECT_CODE(check, subject_settle(s, lease_of(&again, DRAY_VERDICT_REPEAT)), DRAY_OK);
    job = subject_take(s, 1000);
    EXPECT(check, job.token.counter > again.token.counter);
}

static void replays(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");
    struct dray_reserve want = {
        .max = 2, .queues = &queue, .nqueues = 1, .lease_ms = 60000, .nonce = 77};

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("c")), DRAY_OK);
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
    struct dray_job first = s->shown.at[0].job, second = s->shown.at[1].job;
    want.flags = DRAY_RESERVE_REPLAY;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 2);
    for (int i = 0; i < 2; i++) {
        const struct dray_job *job = &s->shown.at[i].job;
        EXPECT(check, str_same(job->id, first.id) || str_same(job->id, second.id));
        EXPECT_NUMBER(check, job->attempts, 1);
        EXPECT_NUMBER(check, job->token.counter, 1);
        EXPECT_NUMBER(check, job->token.nonce, 77);
    }
    EXPECT_CODE(check, subject_settle(s, lease_of(&first, DRAY_VERDICT_DONE)), DRAY_OK);
    want.max = 1;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_same(s->shown.at[0].job.id, second.id));
    want.nonce = 78;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_is(s->shown.at[0].job.id, "c"));
}

static void wall_clock_moves(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("b");

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 10000).id, "a"));
    job.run_at_ms = s->wall_ms + 5000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    s->wall_ms += 86400000;
    EXPECT(check, !subject_take(s, 1000).id.len);
    s->wall_ms -= 2 * 86400000;
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 5000);
    EXPECT(check, str_is(subject_take(s, 60000).id, "b"));
    subject_advance(s, 5001);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void only_one(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");
    struct dray_job job = job_of("late");
    struct dray_reserve want = {
        .max = 5, .queues = &queue, .nqueues = 1, .lease_ms = 1000, .only_id = str("late")};

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    job.delay_ms = 5000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT(check, s->shown.n == 1 && str_is(s->shown.at[0].job.id, "late"));
    want.nonce = 0;
    EXPECT_CODE(check, subject_reserve_want(s, &want), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 0);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void next_look(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    EXPECT(check, s->next_ms >= DRAY_NEXT_NEVER);
    job.delay_ms = 4000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("b")), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 1500).id, "b"));
    EXPECT(check, s->next_ms == DRAY_NEXT_UNKNOWN || s->next_ms <= 1501);
    if (s->next_ms == DRAY_NEXT_UNKNOWN)
        return;
    subject_advance(s, (int64_t)s->next_ms);
    EXPECT(check, s->next_ms >= 1500);
    EXPECT_CODE(check, subject_reserve(s, 0, 1000), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 60000).id, "b"));
    EXPECT(check, s->next_ms <= 2500);
}

const struct check_row checks_lease[] = {
    {"T5", "each hand-out counts an attempt and makes a new token", counts_attempts, 0},
    {"T5", "no more are handed out than wanted", at_most, NEED_BATCH},
    {"T5", "queues are tried in the order given", queues_in_turn, NEED_BATCH},
    {"T5", "only the job asked for is handed out, due or not", only_one,
        DRAY_IS_INLINE | NEED_BATCH},
    {"T6", "a late ack wins until somebody looked", late_ack_wins, 0},
    {"T10", "an extended lease lasts, and is never shortened", extends, NEED_EXTEND},
    {"T10", "leases that end out of order end when they should", extend_beside_others, NEED_EXTEND},
    {"T10", "extend keeps progress", extend_carries_progress, NEED_EXTEND | NEED_LIST},
    {"T11", "an expired lease puts the job back, its attempt counted", expires, 0},
    {"T11", "a sweep alone voids expired tokens", sweep_voids, 0},
    {"F1", "tokens rise over the life of an id", tokens_rise_for_life, NEED_CHANGE},
    {"F2", "a token that is not current changes nothing", wrong_tokens, 0},
    {"F2", "a wrong hint does no harm", hints_are_hints, 0},
    {"F4", "a repeated reserve hands out the same, uncounted", replays,
        DRAY_CAN_REPLAY | NEED_BATCH},
    {"L1", "reserve tells when to look again", next_look, 0},
    {"C2", "changes of the wall clock move neither delays nor leases", wall_clock_moves,
        NEED_ALONE},
    {0},
};
