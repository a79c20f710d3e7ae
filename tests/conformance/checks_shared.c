/* SPDX-License-Identifier: Apache-2.0 */
/* Several instances on one store, in this process and in another. */
#include "check.h"
#include "peer.h"

#include <poll.h>
#include <stdio.h>

#define BELL_MS 2000

static void open_three(struct check *check)
{
    EXPECT_CODE(check, subject_open_another(&check->subject), DRAY_OK);
    EXPECT_CODE(check, subject_open_another(&check->subject), DRAY_OK);
}

static void each_has_its_own(struct check *check)
{
    struct subject *s = &check->subject;
    char id[16];

    open_three(check);
    for (uint32_t i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "j%u", i);
        subject_use(s, i % 3);
        EXPECT_CODE(check, subject_push_one(s, job_of(id)), DRAY_OK);
    }
    /* Every instance sees what the others pushed, and the order is that of the store. */
    for (uint32_t i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "j%u", i);
        subject_use(s, (i + 1) % 3);
        struct dray_job job = subject_take(s, 60000);
        EXPECT(check, job.id.len);
        EXPECT(check, !(s->driver->can & DRAY_CAN_PRIORITY) || str_is(job.id, id));
    }
    for (uint32_t i = 0; i < 3; i++) {
        subject_use(s, i);
        EXPECT(check, !subject_take(s, 1000).id.len);
    }
}

static void leases_are_the_stores(struct check *check)
{
    struct subject *s = &check->subject;

    open_three(check);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    subject_use(s, 0);
    struct dray_job job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, "a"));
    struct dray_lease lease = lease_of(&job, DRAY_VERDICT_AGAIN);
    subject_use(s, 1);
    if (s->driver->extend)
        EXPECT_CODE(check, subject_extend(s, lease, 5000), DRAY_OK);
    subject_use(s, 2);
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    subject_use(s, 0);
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_STALE);
    subject_use(s, 1);
    job = subject_take(s, 1000);
    EXPECT_NUMBER(check, job.attempts, 2);
}

static void expiry_is_seen_by_all(struct check *check)
{
    struct subject *s = &check->subject;

    open_three(check);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    subject_use(s, 0);
    struct dray_job job = subject_take(s, 1000);
    subject_advance(s, 1100);
    subject_use(s, 1);
    struct dray_job again = subject_take(s, 1000);
    EXPECT(check, str_is(again.id, "a"));
    EXPECT_NUMBER(check, again.attempts, 2);
    subject_use(s, 0);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_STALE);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_settle(s, lease_of(&again, DRAY_VERDICT_DONE)), DRAY_OK);
}

static void keys_are_the_stores(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job a = job_of("a"), b = job_of("b");

    open_three(check);
    a.unique = b.unique = str("k");
    subject_use(s, 0);
    EXPECT_CODE(check, subject_push_one(s, a), DRAY_OK);
    subject_use(s, 1);
    EXPECT_CODE(check, subject_push_one(s, b), DRAY_DUPLICATE);
    EXPECT_CODE(check, subject_push_one(s, a), DRAY_EXISTS);
    subject_use(s, 2);
    struct dray_job job = subject_take(s, 1000);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
    subject_use(s, 0);
    EXPECT_CODE(check, subject_push_one(s, b), DRAY_OK);
}

static void pauses_are_the_stores(struct check *check)
{
    struct subject *s = &check->subject;

    open_three(check);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    subject_use(s, 0);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_PAUSE, "q", NULL, 0), DRAY_OK);
    subject_use(s, 1);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_RESUME, "q", NULL, 0), DRAY_OK);
    subject_use(s, 2);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

static void cancels_reach_all(struct check *check)
{
    struct subject *s = &check->subject;

    open_three(check);
    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    subject_use(s, 0);
    struct dray_job job = subject_take(s, 1000);
    subject_use(s, 1);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_CANCEL, "q", "a", 0), DRAY_OK);
    subject_use(s, 0);
    EXPECT_CODE(check, subject_extend(s, lease_of(&job, 0), 1000), DRAY_CANCELLED);
}

static void leases_survive_the_wall_clock(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT(check, str_is(subject_take(s, 10000).id, "a"));
    s->wall_ms += 86400000;
    EXPECT(check, !subject_take(s, 1000).id.len);
    s->wall_ms -= 2 * 86400000;
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 10001);
    EXPECT(check, str_is(subject_take(s, 1000).id, "a"));
}

/* A delayed job after a step of the wall clock: it comes when it would have come, or as much later
   or earlier as the step. */
static void step(struct check *check, const char *id, int64_t step_ms)
{
    struct subject *s = &check->subject;
    struct dray_job late = job_of(id);
    int64_t early_ms = step_ms > 0 ? step_ms : 0, late_ms = step_ms < 0 ? -step_ms : 0;

    late.run_at_ms = s->wall_ms + 60000;
    EXPECT_CODE(check, subject_push_one(s, late), DRAY_OK);
    s->wall_ms += step_ms;
    subject_advance(s, 59999 - early_ms);
    EXPECT(check, !subject_take(s, 1000).id.len);
    subject_advance(s, 1 + early_ms + late_ms);
    struct dray_job job = subject_take(s, 1000);
    EXPECT(check, str_is(job.id, id));
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
}

static void delays_move_by_the_step(struct check *check)
{
    step(check, "back", -5000);
    step(check, "forward", 5000);
}

/* ------------------------------------------------------------------------------------------- */
/* Another process                                                                             */
/* ------------------------------------------------------------------------------------------- */

enum { ASK_PUSH = 1, ASK_TAKE, ASK_PAUSE, ASK_RESUME, ASK_AGAIN };

static int32_t act(struct subject *s, int what)
{
    static struct dray_job taken;

    switch (what) {
    case ASK_PUSH:
        return subject_push_one(s, job_of("theirs"));
    case ASK_TAKE:
        taken = subject_take(s, 60000);
        return taken.id.len ? DRAY_OK : DRAY_EMPTY;
    case ASK_AGAIN:
        return subject_settle(s, lease_of(&taken, DRAY_VERDICT_AGAIN));
    default:
        return subject_change(
            s, what == ASK_PAUSE ? DRAY_CHANGE_PAUSE : DRAY_CHANGE_RESUME, "q", NULL, 0);
    }
}

static int start(struct check *check, struct peer *peer)
{
    struct subject *s = &check->subject;

    subject_leave(s);
    if (!peer_start(peer, s, act))
        check_fail(check, "peer", 0, "no second process");
    else if (subject_open_another(s) != DRAY_OK)
        check_fail(check, "open", 0, "%s", s->error.text);
    return !check->failure[0];
}

static void two_processes_talk(struct check *check, struct peer *peer)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("ours")), DRAY_OK);
    EXPECT_CODE(check, peer_ask(peer, ASK_TAKE), DRAY_OK);
    EXPECT(check, !subject_take(s, 1000).id.len);
    EXPECT_CODE(check, peer_ask(peer, ASK_PUSH), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("theirs")), DRAY_EXISTS);
    EXPECT(check, str_is(subject_take(s, 60000).id, "theirs"));
    EXPECT_CODE(check, peer_ask(peer, ASK_TAKE), DRAY_EMPTY);
}

static void two_processes(struct check *check)
{
    struct peer peer;

    if (start(check, &peer))
        two_processes_talk(check, &peer);
    peer_end(&peer);
}

static int rings(int32_t fd, int ms)
{
    struct pollfd bell = {.fd = fd, .events = POLLIN};

    return poll(&bell, 1, ms) == 1;
}

/* An empty look takes the ring with it: a bell that went on would keep a worker turning. */
static void expect_silence(struct check *check, int32_t fd)
{
    EXPECT_CODE(check, subject_reserve(&check->subject, 1, 60000), DRAY_OK);
    EXPECT_NUMBER(check, check->subject.shown.n, 0);
    EXPECT(check, !rings(fd, 0));
}

static void listen_to(struct check *check, struct peer *peer)
{
    struct subject *s = &check->subject;
    int32_t fd = -1;

    EXPECT_CODE(check, subject_watch(s, "q", &fd), DRAY_OK);
    EXPECT(check, fd >= 0);
    expect_silence(check, fd);
    EXPECT_CODE(check, peer_ask(peer, ASK_PUSH), DRAY_OK);
    EXPECT(check, rings(fd, BELL_MS));
    EXPECT_CODE(check, peer_ask(peer, ASK_TAKE), DRAY_OK);
    expect_silence(check, fd);
    EXPECT_CODE(check, peer_ask(peer, ASK_AGAIN), DRAY_OK);
    EXPECT(check, rings(fd, BELL_MS));
    EXPECT(check, str_is(subject_take(s, 60000).id, "theirs"));
    if (!s->driver->change)
        return;
    EXPECT_CODE(check, peer_ask(peer, ASK_PAUSE), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("ours")), DRAY_OK);
    expect_silence(check, fd);
    EXPECT_CODE(check, peer_ask(peer, ASK_RESUME), DRAY_OK);
    EXPECT(check, rings(fd, BELL_MS));
    EXPECT(check, str_is(subject_take(s, 1000).id, "ours"));
}

static void bell(struct check *check)
{
    struct peer peer;

    if (start(check, &peer))
        listen_to(check, &peer);
    peer_end(&peer);
}

const struct check_row checks_shared[] = {
    {"T5", "instances of one store share its jobs", each_has_its_own, DRAY_IS_SHARED},
    {"F2", "a lease is good on any instance, once", leases_are_the_stores, DRAY_IS_SHARED},
    {"T11", "an expired lease is put back by any instance", expiry_is_seen_by_all, DRAY_IS_SHARED},
    {"T3", "a unique key holds across instances", keys_are_the_stores,
        DRAY_IS_SHARED | DRAY_CAN_UNIQUE},
    {"T17", "a pause holds across instances", pauses_are_the_stores, DRAY_IS_SHARED | NEED_CHANGE},
    {"T15", "a cancel reaches the owner on another instance", cancels_reach_all,
        DRAY_IS_SHARED | NEED_CHANGE | NEED_EXTEND},
    {"C3", "changes of the wall clock move no lease", leases_survive_the_wall_clock,
        DRAY_IS_SHARED},
    {"C5", "changes of the wall clock move delays by no more than that", delays_move_by_the_step,
        0},
    {"J3", "another process shares jobs and leases", two_processes, DRAY_IS_SHARED},
    {"L2", "what another process makes ready rings the bell", bell, DRAY_IS_SHARED | NEED_WATCH},
    {0},
};
