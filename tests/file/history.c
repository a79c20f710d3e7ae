/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(struct history *h, uint64_t below)
{
    uint64_t z = h->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

void history_begin(struct history *history, struct rig *rig, uint64_t seed)
{
    memset(history, 0, sizeof(*history));
    history->rig = rig;
    history->seed = seed;
}

static size_t find(const struct model *model, const char *id)
{
    size_t i = 0;
    while (i < model->n && strcmp(model->jobs[i].id, id) != 0)
        i++;
    return i;
}

static void set(struct model *model, const char *id, char class)
{
    size_t i = find(model, id);
    if (i == MODEL_JOBS)
        abort();
    if (i == model->n) {
        snprintf(model->jobs[i].id, sizeof(model->jobs[i].id), "%s", id);
        model->n++;
    }
    model->jobs[i].class = class;
}

static void drop(struct model *model, const char *id)
{
    size_t i = find(model, id);
    if (i < model->n)
        model->jobs[i] = model->jobs[--model->n];
}

static const char *payload_of(char out[256], const char *id)
{
    int fill = (int)(strlen(id) * 7 % 90);
    /* Some with a line break, which the file holds as strings. */
    snprintf(out, 256,
        id[strlen(id) - 1] == '3' ? "{\"id\":\n\"%s\",\"x\":\"%*s\"}"
                                  : "{\"id\":\"%s\",\"x\":\"%*s\"}",
        id, fill, "");
    return out;
}

static int32_t push_one(struct history *h, struct model *to)
{
    char id[16], payload[256];
    snprintf(id, sizeof(id), "j%u", h->serial++);
    set(to, id, 'w');
    return rig_push(h->rig, id, payload_of(payload, id), draw(h, 4) ? 0 : 50, NULL);
}

/* The members share one payload: that of no id. */
static int32_t push_group(struct history *h, struct model *to)
{
    char prefix[12], id[24];
    snprintf(prefix, sizeof(prefix), "g%u.", h->serial++);
    uint32_t n = (uint32_t)draw(h, 4) + 2;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%s%u", prefix, i);
        set(to, id, 'w');
    }
    return rig_push_group(h->rig, prefix, n, "{\"group\":1}");
}

static int32_t settle(struct history *h, struct model *to)
{
    static const uint32_t verdicts[] = {DRAY_VERDICT_DONE, DRAY_VERDICT_DONE, DRAY_VERDICT_DONE,
        DRAY_VERDICT_AGAIN, DRAY_VERDICT_BURY, DRAY_VERDICT_RELEASE};
    uint32_t verdict = verdicts[draw(h, sizeof(verdicts) / sizeof(verdicts[0]))];
    uint32_t flags = verdict == DRAY_VERDICT_DONE && draw(h, 3) == 0 ? DRAY_LEASE_KEEP : 0;
    if (verdict == DRAY_VERDICT_BURY)
        set(to, h->held.id, 'd');
    else if (flags)
        set(to, h->held.id, 'k');
    else if (verdict == DRAY_VERDICT_DONE)
        drop(to, h->held.id);
    int32_t code = rig_settle(h->rig, &h->held, verdict, draw(h, 2) * 40,
        verdict == DRAY_VERDICT_DONE ? NULL : "it \"failed\"", flags);
    if (code == DRAY_OK)
        h->held.id[0] = 0;
    return code;
}

static int32_t take(struct history *h)
{
    rig_advance(h->rig, 20);
    int32_t code = rig_take(h->rig, 1, 60000);
    if (code == DRAY_OK && h->rig->nseen)
        h->held = h->rig->seen[0];
    return code;
}

static int32_t change(struct history *h, struct model *to)
{
    if (!to->n)
        return DRAY_NOTFOUND;
    size_t i = (size_t)draw(h, to->n);
    char id[16];
    memcpy(id, to->jobs[i].id, sizeof(id));
    if (to->jobs[i].class == 'd') {
        set(to, id, 'w');
        return rig_change(h->rig, DRAY_CHANGE_KICK, id, 0);
    }
    if (strcmp(id, h->held.id) == 0)
        return DRAY_CONFLICT;
    if (to->jobs[i].class == 'w' && draw(h, 2)) {
        set(to, id, 'd');
        return rig_change(h->rig, DRAY_CHANGE_CANCEL, id, 0);
    }
    drop(to, id);
    return rig_change(h->rig, DRAY_CHANGE_REMOVE, id, DRAY_CHANGE_FORCE);
}

int32_t history_step(struct history *history)
{
    uint64_t kind = draw(history, 10);
    int32_t code;
    history->other = history->model;
    if (history->held.id[0] && kind < 4)
        code = settle(history, &history->other);
    else if (history->held.id[0] && kind == 4)
        code = rig_extend(history->rig, &history->held, 70000);
    else if (!history->held.id[0] && kind < 4)
        code = take(history);
    else if (kind < 7)
        code = push_one(history, &history->other);
    else if (kind < 9)
        code = push_group(history, &history->other);
    else
        code = change(history, &history->other);
    if (code == DRAY_OK)
        history->model = history->other;
    return code;
}

static char class_of(const struct seen *job)
{
    return job->state == DRAY_STATE_DEAD ? 'd' : job->state == DRAY_STATE_DONE ? 'k' : 'w';
}

int model_agrees(const struct model *model, struct rig *rig, char *why, size_t size)
{
    char payload[256];
    if (rig_list(rig) != DRAY_OK) {
        snprintf(why, size, "list: %s", rig->error.text);
        return 0;
    }
    for (size_t i = 0; i < rig->nseen; i++) {
        const struct seen *job = &rig->seen[i];
        size_t at = find(model, job->id);
        if (at == model->n || model->jobs[at].class != class_of(job)) {
            snprintf(why, size, "%s is there as %c, and should%s", job->id, class_of(job),
                at == model->n ? " not" : " be something else");
            return 0;
        }
        const char *want = job->id[0] == 'g' ? "{\"group\":1}" : payload_of(payload, job->id);
        if (strcmp(job->payload, want) != 0) {
            snprintf(why, size, "%s has the payload %s", job->id, job->payload);
            return 0;
        }
    }
    if (rig->nseen == model->n)
        return 1;
    for (size_t i = 0; i < model->n; i++) {
        if (!rig_find(rig, model->jobs[i].id))
            snprintf(why, size, "%s (%c) is lost", model->jobs[i].id, model->jobs[i].class);
    }
    return 0;
}
