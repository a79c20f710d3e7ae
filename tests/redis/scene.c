/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/scene.h"

#include "dray/tend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking ---- */

DRAY_PRINTF(2, 3)
static void add(struct scene_text *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text->data + text->len, SCENE_TEXT - text->len, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < SCENE_TEXT - text->len);
    text->len += (size_t)n;
}

static void add_job(struct dray_call *call, const struct dray_job *job)
{
    add(rig_of(call)->user,
        "%.*s state=%u attempts=%u releases=%u counter=%llu flags=%u payload=%.*s error=%.*s\n",
        (int)job->id.len, job->id.data, job->state, job->attempts, job->releases,
        (unsigned long long)job->token.counter, job->flags, (int)job->payload.len,
        job->payload.data, (int)job->error.len, job->error.data);
}

static void add_row(struct dray_call *call, const struct dray_stats_row *row)
{
    struct scene_text *text = rig_of(call)->user;
    if (row->type.len)
        add(text, "%.*s pushed=%llu completed=%llu failed=%llu retried=%llu died=%llu runs=%llu\n",
            (int)row->type.len, row->type.data, (unsigned long long)row->pushed,
            (unsigned long long)row->completed, (unsigned long long)row->failed,
            (unsigned long long)row->retried, (unsigned long long)row->died,
            (unsigned long long)row->runs);
    else
        add(text, "paused=%u ready=%llu delayed=%llu active=%llu dead=%llu done=%llu\n",
            row->paused, (unsigned long long)row->ready, (unsigned long long)row->delayed,
            (unsigned long long)row->active, (unsigned long long)row->dead,
            (unsigned long long)row->done);
}

struct dray_call *scene_looking(struct rig *rig, struct scene_text *text)
{
    struct dray_call *call = rig_call(rig);
    rig->user = text;
    call->job = add_job;
    call->stats = add_row;
    return call;
}

int32_t scene_list(struct rig *rig, struct scene_text *text)
{
    struct dray_filter filter = {.size = sizeof(filter), .queue = {"q", 1}, .max = SCENE_JOBS};
    int32_t code;
    do {
        code = rig->driver->list(rig->self, scene_looking(rig, text), &filter);
    } while (code == DRAY_OK && filter.cursor[0]);
    return code;
}

int32_t scene_stats(struct rig *rig, struct scene_text *text)
{
    struct dray_str queue = {"q", 1};
    return rig->driver->stats(rig->self, scene_looking(rig, text), &queue, 1);
}

void scene_look(struct scene *scene, char *data)
{
    struct scene_text text = {data, 0};
    /* By the time of an answer the server has carried out what had reached it before. */
    redisReply *reply = redisCommand(scene->own, "PING");
    assert_non_null(reply);
    freeReplyObject(reply);
    data[0] = 0;
    if (scene_list(&scene->eye, &text) != DRAY_OK || scene_stats(&scene->eye, &text) != DRAY_OK)
        fail_msg("%s", scene->eye.error.text);
}

/* ---- acting ---- */

static void keep_note(struct dray_call *call, const char *line)
{
    char *notes = rig_of(call)->user;
    size_t len = strlen(notes);
    snprintf(notes + len, SCENE_TEXT - len, "%s\n", line);
}

uint64_t scene_check(struct rig *rig, const char *what, char notes[SCENE_TEXT])
{
    struct dray_tend tend = {.size = sizeof(tend), .what = DRAY_TEND_CHECK};
    struct dray_call *call = rig_call(rig);
    call->note = keep_note;
    rig->user = notes;
    notes[0] = 0;
    if (rig->driver->tend(rig->self, call, &tend) != DRAY_OK)
        fail_msg("%s: %s", what, rig->error.text);
    return tend.damaged;
}

struct dray_reserve scene_want(uint32_t max, uint32_t flags, uint64_t nonce)
{
    static const struct dray_str queue = {"q", 1};
    return (struct dray_reserve){.size = sizeof(struct dray_reserve),
        .max = max,
        .queues = &queue,
        .nqueues = 1,
        .flags = flags,
        .lease_ms = 60000,
        .nonce = nonce,
        .owner = {"host:1", 6},
        .keep_done_ms = UINT64_MAX,
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
}

int32_t scene_run(struct scene *scene, const struct act *act, int again)
{
    scene->nsaid = 0;
    scene->said[0] = 0;
    scene->nanswers = 0;
    return act->run(scene, again);
}

int scene_answered(const struct scene *scene, const struct act *act, int again)
{
    for (uint32_t i = 0; i < scene->nanswers; i++) {
        int32_t answer = scene->answers[i];
        /* In a turn, asked again, each part answers in its own way. */
        int known = answer == act->done || (act->mixed && answer == DRAY_EXISTS);
        if (answer != DRAY_OK && !(again && known))
            return 0;
    }
    return 1;
}

/* ---- the stage ---- */

void scene_start(struct scene *scene, int aof)
{
    memset(scene, 0, sizeof(*scene));
    server_start(&scene->server, aof);
    scene->own = server_talk(&scene->server);
    assert_non_null(scene->own);
    assert_int_equal(rig_open(&scene->eye, scene->server.socket, 0), DRAY_OK);
    scene->n = 3;
}

void scene_end(struct scene *scene)
{
    rig_close(&scene->eye);
    redisFree(scene->own);
    server_remove(&scene->server);
}

void scene_reset(struct scene *scene, const struct act *act)
{
    redisReply *reply = redisCommand(scene->own, "FLUSHDB");
    assert_non_null(reply);
    freeReplyObject(reply);
    scene->plain = 0;
    act->prepare(scene);
}

static void count_job(struct dray_call *call, const struct dray_job *job)
{
    (void)job;
    ++*(uint32_t *)rig_of(call)->user;
}

uint32_t scene_drain(struct scene *scene)
{
    struct rig *eye = &scene->eye;
    uint32_t n = 0, before;
    do {
        struct dray_reserve wish = scene_want(SCENE_JOBS, 0, ++scene->nonce);
        struct dray_call *call = rig_call(eye);
        eye->user = &n;
        call->job = count_job;
        before = n;
        if (eye->driver->reserve(eye->self, call, &wish) != DRAY_OK)
            fail_msg("%s", eye->error.text);
    } while (n > before);
    return n;
}
