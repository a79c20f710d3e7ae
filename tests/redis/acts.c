/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

/* ---- calls on many jobs ---- */

static int32_t push(
    struct rig *rig, struct scene *scene, uint32_t first, uint32_t n, uint32_t flags)
{
    static char ids[SCENE_JOBS][16];
    static struct dray_job rows[SCENE_JOBS];
    static const struct dray_job *jobs[SCENE_JOBS];
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(ids[i], sizeof(ids[i]), "j%04u", first + i);
        rows[i] = (struct dray_job){.size = sizeof(rows[i]),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = {ids[i], (uint64_t)len},
            .queue = {"q", 1},
            .type = {"t", 1},
            .unique = {ids[i], i % 2 && !scene->plain ? (uint64_t)len : 0},
            .payload = {"{\"n\":1}", 7}};
        jobs[i] = &rows[i];
        scene->answers[i] = DRAY_OK;
    }
    struct dray_push group = {.size = sizeof(group),
        .flags = flags,
        .queue = {"q", 1},
        .jobs = jobs,
        .answers = scene->answers,
        .njobs = n};
    scene->nanswers = n;
    return rig->driver->push(rig->self, rig_call(rig), &group);
}

static void fill_leases(struct scene *scene, uint32_t first, uint32_t n, uint32_t verdict,
    struct dray_lease *rows, const struct dray_lease **leases, char (*ids)[16])
{
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(ids[i], sizeof(ids[i]), "j%04u", first + i);
        rows[i] = (struct dray_lease){.size = sizeof(rows[i]),
            .verdict = verdict,
            .queue = {"q", 1},
            .id = {ids[i], (uint64_t)len},
            .type = {"t", 1},
            .token = scene->tokens[first + i],
            .lease_ms = 120000,
            .run_ms = 3,
            .error = {"boom", verdict == DRAY_VERDICT_DONE ? 0 : 4}};
        leases[i] = &rows[i];
        scene->answers[i] = DRAY_OK;
    }
    scene->nanswers = n;
}

/* verdict 0: renew them. */
static int32_t settle(struct rig *rig, struct scene *scene, uint64_t delay_ms, uint32_t verdict)
{
    static char ids[SCENE_JOBS][16];
    static struct dray_lease rows[SCENE_JOBS];
    static const struct dray_lease *leases[SCENE_JOBS];
    fill_leases(scene, 0, scene->n, verdict, rows, leases, ids);
    for (uint32_t i = 0; i < scene->n; i++)
        rows[i].delay_ms = delay_ms;
    if (!verdict)
        return rig->driver->extend(rig->self, rig_call(rig), leases, scene->answers, scene->n);
    return (verdict == DRAY_VERDICT_DONE ? rig->driver->ack : rig->driver->retry)(
        rig->self, rig_call(rig), leases, scene->answers, scene->n);
}

static int32_t change(struct rig *rig, struct scene *scene, uint32_t what)
{
    static char ids[SCENE_JOBS][16];
    static struct dray_str names[SCENE_JOBS];
    struct dray_change change = {.size = sizeof(change),
        .what = what,
        .queue = {"q", 1},
        .ids = names,
        .answers = scene->answers};
    if (what < DRAY_CHANGE_PAUSE)
        change.nids = scene->n;
    for (uint32_t i = 0; i < change.nids; i++) {
        int len = snprintf(ids[i], sizeof(ids[i]), "j%04u", i);
        names[i] = (struct dray_str){ids[i], (uint64_t)len};
        scene->answers[i] = DRAY_OK;
    }
    scene->nanswers = change.nids;
    return rig->driver->change(rig->self, rig_call(rig), &change);
}

/* ---- beginnings ---- */

static void fine(struct scene *scene, int32_t code)
{
    if (code != DRAY_OK)
        fail_msg("%s", scene->eye.error.text);
    for (uint32_t i = 0; i < scene->nanswers; i++)
        assert_int_equal(scene->answers[i], DRAY_OK);
}

static void nothing(struct scene *scene)
{
    (void)scene;
}

static void registered(struct scene *scene)
{
    fine(scene, change(&scene->eye, scene, DRAY_CHANGE_PAUSE));
    fine(scene, change(&scene->eye, scene, DRAY_CHANGE_RESUME));
}

/* Twice as many as the act takes. */
static void waiting(struct scene *scene)
{
    fine(scene, push(&scene->eye, scene, 0, scene->n * 2, 0));
}

static void keep_token(struct dray_call *call, const struct dray_job *job)
{
    struct scene *scene = rig_of(call)->user;
    unsigned number = SCENE_JOBS;
    assert_int_equal(sscanf(job->id.data, "j%4u", &number), 1);
    assert_true(number < SCENE_JOBS);
    scene->tokens[number] = job->token;
}

/* As many as the act takes. */
static void lease(struct scene *scene, uint64_t lease_ms)
{
    struct rig *eye = &scene->eye;
    struct dray_reserve wish = scene_want(scene->n, 0, ++scene->nonce);
    struct dray_call *call = rig_call(eye);
    wish.lease_ms = lease_ms;
    eye->user = scene;
    call->job = keep_token;
    fine(scene, eye->driver->reserve(eye->self, call, &wish));
}

static void leased(struct scene *scene)
{
    waiting(scene);
    lease(scene, 60000);
}

static int64_t server_ms(struct scene *scene)
{
    redisReply *reply = redisCommand(scene->own, "TIME");
    assert_non_null(reply);
    int64_t ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                 strtoll(reply->element[1]->str, NULL, 10) / 1000;
    freeReplyObject(reply);
    return ms;
}

/* For plain turns: somebody looked lately, and a job has ended. */
static void idle_plain(struct scene *scene)
{
    uint32_t n = scene->n;
    scene->plain = 1;
    scene->n = 1;
    fine(scene, push(&scene->eye, scene, 0, 1, 0));
    lease(scene, 60000);
    fine(scene, settle(&scene->eye, scene, 0, DRAY_VERDICT_DONE));
    scene->n = n;
}

static void waiting_plain(struct scene *scene)
{
    idle_plain(scene);
    waiting(scene);
}

static void leased_plain(struct scene *scene)
{
    waiting_plain(scene);
    lease(scene, 60000);
}

/* One of those that share a lease has one of its own. */
static void leased_apart(struct scene *scene)
{
    uint32_t n = scene->n;
    leased_plain(scene);
    scene->n = 1;
    fine(scene, settle(&scene->eye, scene, 0, 0));
    scene->n = n;
}

/* Leases of many at once that have run out. */
static void overdue_plain(struct scene *scene)
{
    waiting_plain(scene);
    lease(scene, 1);
    int64_t end = server_ms(scene) + 3;
    while (server_ms(scene) < end) {
    }
}

static void buried(struct scene *scene)
{
    leased(scene);
    fine(scene, settle(&scene->eye, scene, HOUR_MS, DRAY_VERDICT_BURY));
}

/* Leases that have run out, and delayed jobs that are due. */
static void overdue(struct scene *scene)
{
    leased(scene);
    lease(scene, 1);
    fine(scene, settle(&scene->eye, scene, 1, DRAY_VERDICT_AGAIN));
    int64_t end = server_ms(scene) + 3;
    while (server_ms(scene) < end) {
    }
}

/* ---- acts ---- */

static int32_t run_push(struct scene *scene, int again)
{
    return push(&scene->rig, scene, 0, scene->n, again ? DRAY_PUSH_RESEND : 0);
}

static int32_t run_push_one(struct scene *scene, int again)
{
    return push(&scene->rig, scene, 0, 1, again ? DRAY_PUSH_RESEND : 0);
}

static struct scene_text saying(struct scene *scene)
{
    return (struct scene_text){scene->said, 0};
}

static int32_t run_reserve(struct scene *scene, int again)
{
    struct rig *rig = &scene->rig;
    struct scene_text text = saying(scene);
    struct dray_reserve wish = scene_want(
        scene->n, again ? DRAY_RESERVE_REPLAY : 0, again ? scene->nonce : ++scene->nonce);
    int32_t code = rig->driver->reserve(rig->self, scene_looking(rig, &text), &wish);
    scene->nsaid = text.len;
    return code;
}

static int32_t run_sweep(struct scene *scene, int again)
{
    struct rig *rig = &scene->rig;
    struct dray_reserve wish = scene_want(0, 0, ++scene->nonce);
    (void)again;
    return rig->driver->reserve(rig->self, rig_call(rig), &wish);
}

static int32_t run_ack(struct scene *scene, int again)
{
    (void)again;
    return settle(&scene->rig, scene, HOUR_MS, DRAY_VERDICT_DONE);
}

static int32_t run_retry(struct scene *scene, int again)
{
    (void)again;
    return settle(&scene->rig, scene, HOUR_MS, DRAY_VERDICT_AGAIN);
}

static int32_t run_release(struct scene *scene, int again)
{
    (void)again;
    return settle(&scene->rig, scene, HOUR_MS, DRAY_VERDICT_RELEASE);
}

static int32_t run_bury(struct scene *scene, int again)
{
    (void)again;
    return settle(&scene->rig, scene, HOUR_MS, DRAY_VERDICT_BURY);
}

static int32_t run_extend(struct scene *scene, int again)
{
    (void)again;
    return settle(&scene->rig, scene, HOUR_MS, 0);
}

/* Settles some of what is held and renews the others, pushes a job, reserves as many. The first
   answers are those of the leases, the last is that of the group. */
static int32_t turn(struct scene *scene, int again, uint32_t n, uint32_t half, uint32_t priority)
{
    static char ids[SCENE_JOBS][16], more[SCENE_JOBS][16];
    static struct dray_lease rows[SCENE_JOBS];
    static const struct dray_lease *leases[SCENE_JOBS];
    struct rig *rig = &scene->rig;
    struct scene_text text = saying(scene);
    fill_leases(scene, 0, n, DRAY_VERDICT_DONE, rows, leases, ids);
    struct dray_job job = {.size = sizeof(job),
        .priority = priority,
        .id = {more[0], 6},
        .queue = {"q", 1},
        .type = {"t", 1},
        .payload = {"[]", 2}};
    const struct dray_job *jobs[] = {&job};
    snprintf(more[0], sizeof(more[0]), "pushed");
    struct dray_push group = {.size = sizeof(group),
        .flags = again ? DRAY_PUSH_RESEND : 0,
        .queue = {"q", 1},
        .jobs = jobs,
        .answers = &scene->answers[n],
        .njobs = 1};
    struct dray_push *groups[] = {&group};
    struct dray_reserve wish = scene_want(
        scene->n, again ? DRAY_RESERVE_REPLAY : 0, again ? scene->nonce : ++scene->nonce);
    struct dray_turn all = {.size = sizeof(all),
        .nsettle = half,
        .settle = leases,
        .settle_answers = scene->answers,
        .npush = 1,
        .push = groups,
        .nextend = n - half,
        .extend = leases + half,
        .extend_answers = scene->answers + half,
        .reserve = &wish};
    scene->answers[n] = DRAY_OK;
    scene->nanswers = n + 1;
    int32_t code = rig->driver->turn(rig->self, scene_looking(rig, &text), &all);
    scene->nsaid = text.len;
    return code == DRAY_OK ? (group.code ? group.code : all.reserve_code) : code;
}

static int32_t run_turn(struct scene *scene, int again)
{
    return turn(scene, again, scene->n, scene->n / 2, 1);
}

static int32_t run_plain_turn(struct scene *scene, int again)
{
    return turn(scene, again, scene->n, scene->n, DRAY_PRIORITY_NORMAL);
}

/* Nothing was held and nothing waits: the job that is pushed is handed out. */
static int32_t run_hand_over(struct scene *scene, int again)
{
    return turn(scene, again, 0, 0, DRAY_PRIORITY_NORMAL);
}

static int32_t run_kick(struct scene *scene, int again)
{
    (void)again;
    return change(&scene->rig, scene, DRAY_CHANGE_KICK);
}

static int32_t run_cancel(struct scene *scene, int again)
{
    (void)again;
    return change(&scene->rig, scene, DRAY_CHANGE_CANCEL);
}

static int32_t run_remove(struct scene *scene, int again)
{
    (void)again;
    return change(&scene->rig, scene, DRAY_CHANGE_REMOVE);
}

static int32_t run_pause(struct scene *scene, int again)
{
    (void)again;
    return change(&scene->rig, scene, DRAY_CHANGE_PAUSE);
}

static int32_t run_reset(struct scene *scene, int again)
{
    (void)again;
    return change(&scene->rig, scene, DRAY_CHANGE_RESET);
}

static int32_t run_list(struct scene *scene, int again)
{
    struct scene_text text = saying(scene);
    (void)again;
    int32_t code = scene_list(&scene->rig, &text);
    scene->nsaid = text.len;
    return code;
}

static int32_t run_stats(struct scene *scene, int again)
{
    struct scene_text text = saying(scene);
    (void)again;
    int32_t code = scene_stats(&scene->rig, &text);
    scene->nsaid = text.len;
    return code;
}

const struct act scene_acts[] = {
    {"push one to a new queue", nothing, run_push_one, DRAY_EXISTS, 0, 0},
    {"push one", registered, run_push_one, DRAY_EXISTS, 0, 0},
    {"push", registered, run_push, DRAY_EXISTS, 0, 0},
    {"reserve", waiting, run_reserve, DRAY_OK, 0, 0},
    {"sweep", overdue, run_sweep, DRAY_OK, 0, 0},
    {"ack", leased, run_ack, DRAY_STALE, 0, 0},
    {"retry", leased, run_retry, DRAY_STALE, 0, 0},
    {"release", leased, run_release, DRAY_STALE, 0, 0},
    {"bury", leased, run_bury, DRAY_STALE, 0, 0},
    {"extend", leased, run_extend, DRAY_OK, 0, 0},
    {"turn", leased, run_turn, DRAY_STALE, 0, 1},
    {"plain reserve", waiting_plain, run_reserve, DRAY_OK, 0, 0},
    {"plain ack", leased_plain, run_ack, DRAY_STALE, 0, 0},
    {"plain turn", leased_plain, run_plain_turn, DRAY_STALE, 0, 1},
    {"hand over", idle_plain, run_hand_over, DRAY_STALE, 0, 1},
    {"ack of two kinds", leased_apart, run_ack, DRAY_STALE, 0, 0},
    {"plain retry", leased_plain, run_retry, DRAY_STALE, 0, 0},
    {"plain extend", leased_plain, run_extend, DRAY_OK, 0, 0},
    {"plain cancel", leased_plain, run_cancel, DRAY_OK, 0, 0},
    {"plain sweep", overdue_plain, run_sweep, DRAY_OK, 0, 0},
    {"kick", buried, run_kick, DRAY_OK, 0, 0},
    {"cancel", waiting, run_cancel, DRAY_CONFLICT, 0, 0},
    {"remove", waiting, run_remove, DRAY_NOTFOUND, 0, 0},
    {"pause", registered, run_pause, DRAY_OK, 0, 0},
    {"reset", buried, run_reset, DRAY_OK, 0, 0},
    {"list", buried, run_list, DRAY_OK, 1, 0},
    {"stats", buried, run_stats, DRAY_OK, 1, 0},
};
const unsigned scene_nacts = sizeof(scene_acts) / sizeof(scene_acts[0]);
