/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/turn.h"

#include "host/error.h"
#include "queue/instance.h"
#include "worker/attempt.h"
#include "worker/worker.h"

#include <string.h>
#include <time.h>

/* A push whose answer got lost is sent again, under the same ids, for so long. */
#define RESEND_FOR_MS 10000
#define RESEND_FIRST_MS 20
#define RESEND_MOST_MS 500

void list_init(struct attempt_list *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->n = 0;
}

void list_add(struct attempt_list *list, struct dray_attempt *attempt)
{
    attempt->next = NULL;
    *list->last = attempt;
    list->last = &attempt->next;
    list->n++;
}

struct dray_attempt *list_take(struct attempt_list *list)
{
    struct dray_attempt *attempt = list->first;
    if (!attempt)
        return NULL;
    list->first = attempt->next;
    if (!list->first)
        list->last = &list->first;
    list->n--;
    attempt->next = NULL;
    return attempt;
}

void list_add_first(struct attempt_list *list, struct dray_attempt *attempt)
{
    attempt->next = list->first;
    if (!list->first)
        list->last = &attempt->next;
    list->first = attempt;
    list->n++;
}

void list_move(struct attempt_list *list, struct attempt_list *from)
{
    if (!from->first)
        return;
    *list->last = from->first;
    list->last = from->last;
    list->n += from->n;
    list_init(from);
}

void renewal_add(struct inbox *inbox, struct dray_attempt *attempt)
{
    attempt->next_renewal = NULL;
    *inbox->renewals.last = attempt;
    inbox->renewals.last = &attempt->next_renewal;
    inbox->renewals.n++;
}

struct dray_attempt *renewal_take(struct inbox *inbox)
{
    struct attempt_list *list = &inbox->renewals;
    struct dray_attempt *attempt = list->first;
    if (!attempt)
        return NULL;
    list->first = attempt->next_renewal;
    if (!list->first)
        list->last = &list->first;
    list->n--;
    return attempt;
}

void inbox_init(struct inbox *inbox)
{
    inbox->groups = NULL;
    inbox->last_group = &inbox->groups;
    inbox->ngroups = 0;
    list_init(&inbox->outcomes);
    list_init(&inbox->later);
    list_init(&inbox->renewals);
}

/* ---- collecting ---- */

static void collect_outcomes(struct inbox *inbox, struct batch *b)
{
    while (b->limit > 0 && inbox->outcomes.first) {
        struct dray_attempt *a = list_take(&inbox->outcomes);
        uint32_t i = b->turn.nsettle++;
        b->settled[i] = a;
        b->settle[i] = &a->lease;
        b->settle_answers[i] = DRAY_OK;
        b->limit--;
    }
}

static void collect_renewals(struct inbox *inbox, struct batch *b)
{
    while (b->limit > 0 && inbox->renewals.first) {
        struct dray_attempt *a = renewal_take(inbox);
        uint32_t i = b->turn.nextend++;
        b->renewed[i] = a;
        b->renewal[i] = (struct dray_lease){
            .size = (uint32_t)sizeof(b->renewal[i]),
            .queue = a->lease.queue,
            .id = a->lease.id,
            .type = a->lease.type,
            .token = a->lease.token,
            .ref = a->lease.ref,
            .lease_ms = a->lease.lease_ms,
            .progress = a->lease.progress,
        };
        b->extend[i] = &b->renewal[i];
        b->extend_answers[i] = DRAY_OK;
        b->limit--;
    }
}

static void collect_groups(struct inbox *inbox, struct batch *b)
{
    while (b->limit > 0 && inbox->groups) {
        struct group *g = inbox->groups;
        inbox->groups = g->next;
        if (!inbox->groups)
            inbox->last_group = &inbox->groups;
        inbox->ngroups--;
        uint32_t i = b->turn.npush++;
        b->group[i] = g;
        b->push[i] = &g->push;
        b->limit--;
    }
}

/* The big arrays are left as they are: only what is filled in is read. */
static void batch_init(struct dray *dray, struct batch *b)
{
    uint32_t most = dray->store->driver.max_batch;
    store_call_init(&b->call, &b->error, dray->budget_ms);
    b->error.size = (uint32_t)sizeof(b->error);
    b->error.code = DRAY_OK;
    b->error.text[0] = 0;
    memset(&b->turn, 0, sizeof(b->turn));
    b->turn.size = (uint32_t)sizeof(b->turn);
    b->turn.settle = b->settle;
    b->turn.settle_answers = b->settle_answers;
    b->turn.push = b->push;
    b->turn.extend = b->extend;
    b->turn.extend_answers = b->extend_answers;
    b->limit = most < TURN_MAX ? most : TURN_MAX;
    b->dray = dray;
    list_init(&b->spare);
    list_init(&b->taken);
}

/* ---- answering ---- */

/* Passes on why a group was refused, or wakes whoever is to run it. */
static void answer_group(
    struct dray *dray, const struct group *g, const struct dray_error *error, int looked)
{
    int refused = g->push.code != DRAY_OK && g->push.code != DRAY_EXISTS;
    if (refused && g->error)
        error_copy(g->error, error);
    if (!refused && dray->worker)
        worker_notice_push(dray->worker, g->soonest_ms, looked);
}

static void answer_groups(struct dray *dray, struct batch *b, int looked)
{
    for (uint32_t i = 0; i < b->turn.npush; i++) {
        struct group *g = b->group[i];
        answer_group(dray, g, &b->error, looked);
        int sleeping = g->sleeping;
        if (sleeping)
            pthread_cond_signal(&g->wake);
        g->done = 1; /* the last touch: its owner may be gone as soon as the lock is released */
    }
}

static void answer_batch(struct dray *dray, struct batch *b)
{
    struct worker *worker = dray->worker;
    for (uint32_t i = 0; i < b->turn.nsettle; i++)
        outcome_answered(worker, b->settled[i], b->settle_answers[i], &b->error);
    for (uint32_t i = 0; i < b->turn.nextend; i++)
        renewal_answered(worker, b->renewed[i], b->extend_answers[i], b->before_ms);
    int looked = b->turn.reserve ? worker_take(worker, b) : 0;
    answer_groups(dray, b, looked);
}

/* Somebody has to lead next if more has gathered meanwhile. A sleeping dispatcher is woken for its
   own sake, an executor or the keeper for the outcomes, the keeper also for the end that it put off
   while somebody led. */
static void wake_next(struct dray *dray)
{
    struct group *g = dray->inbox.groups;
    if (g && g->sleeping)
        pthread_cond_signal(&g->wake);
    struct worker *w = dray->worker;
    if (!w)
        return;
    if (w->idle && (w->ring.n || w->look || dray->inbox.outcomes.n))
        worker_wake(w);
    if (atomic_load(&w->stopping) ||
        (w->keeper_writes && (dray->inbox.outcomes.n || dray->inbox.renewals.n)))
        keeper_nudge(w);
}

/* The end of a turn, or of being alone. Whoever waits to be alone is handed the lead, since a busy
   dispatcher would always be back before a waiter is awake; after that it is the groups' turn. */
static void pass_the_lead(struct dray *dray, int was_alone)
{
    struct group *g = dray->inbox.groups;
    if (dray->waiting_alone && !(was_alone && g && g->sleeping)) {
        dray->leading = dray->handed_over = 1;
        pthread_cond_broadcast(&dray->led);
        return;
    }
    wake_next(dray);
}

void turn_lead(struct dray *dray, uint32_t room)
{
    struct batch *b = &dray->batch;
    batch_init(dray, b);
    collect_outcomes(&dray->inbox, b);
    collect_groups(&dray->inbox, b);
    collect_renewals(&dray->inbox, b);
    if (dray->worker && worker_ask(dray->worker, b, room))
        b->turn.reserve = &b->reserve;
    if (!b->turn.nsettle && !b->turn.npush && !b->turn.nextend && !b->turn.reserve)
        return;
    b->before_ms = b->turn.reserve || b->turn.nextend ? clock_mono_ms(dray->clock) : 0;
    if (dray->quick) {
        store_turn(dray->store, &b->call, &b->turn);
    } else {
        dray->leading = 1;
        pthread_mutex_unlock(&dray->lock);
        uint64_t begin_us = clock_run_us(NULL);
        store_turn(dray->store, &b->call, &b->turn);
        uint64_t took_us = clock_run_us(NULL) - begin_us;
        pthread_mutex_lock(&dray->lock);
        dray->leading = 0;
        dray->turn_us = dray->turn_us ? (dray->turn_us * 7 + took_us) / 8 : took_us;
    }
    answer_batch(dray, b);
    pass_the_lead(dray, 0);
}

/* ---- pushing ---- */

static void add_group(struct inbox *inbox, struct group *g)
{
    g->next = NULL;
    g->done = 0;
    *inbox->last_group = g;
    inbox->last_group = &g->next;
    inbox->ngroups++;
}

/* On a quick driver nobody waits for the lead, and there is nothing to take along. Nor does the
   batch, which is then for the executors alone, travel from one processor to another. */
static void push_alone(struct dray *dray, struct group *g)
{
    struct dray_error error;
    struct dray_call call;
    error.size = (uint32_t)sizeof(error);
    error.code = DRAY_OK;
    error.text[0] = 0;
    store_call_init(&call, &error, dray->budget_ms);
    instance_lock(dray);
    store_push(dray->store, &call, &g->push);
    answer_group(dray, g, &error, 0);
    pthread_mutex_unlock(&dray->lock);
}

static void push_once(struct dray *dray, struct group *g)
{
    if (dray->quick) {
        push_alone(dray, g);
        return;
    }
    instance_lock(dray);
    add_group(&dray->inbox, g);
    while (!g->done) {
        if (!dray->leading) {
            turn_lead(dray, 0);
        } else {
            g->sleeping = 1;
            pthread_cond_wait(&g->wake, &dray->lock);
            g->sleeping = 0;
        }
    }
    pthread_mutex_unlock(&dray->lock);
}

static void preset_answers(struct group *g)
{
    g->push.code = DRAY_OK;
    for (uint32_t i = 0; i < g->push.njobs; i++) {
        g->push.answers[i] = DRAY_OK;
        if (g->push.holders)
            g->push.holders[i][0] = 0;
    }
}

static void pause_for(int64_t ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

int turn_push(struct dray *dray, struct group *g)
{
    if (!dray->quick)
        pthread_cond_init(&g->wake, NULL);
    push_once(dray, g);
    int64_t pause_ms = RESEND_FIRST_MS;
    int64_t end_ms = g->push.code == DRAY_UNKNOWN ? real_ms() + RESEND_FOR_MS : 0;
    int unsure = g->push.code == DRAY_UNKNOWN;
    /* Once a try may have landed, no later "not done" can take that back. */
    while (unsure && (DRAY_IS_NOT_DONE(g->push.code) || g->push.code == DRAY_UNKNOWN)) {
        if (real_ms() + pause_ms > end_ms) {
            g->push.code = error_set(g->error, DRAY_UNKNOWN, 0,
                "the store did not say within 10 s whether it keeps the job; dispatch the same id "
                "again to make sure");
            break;
        }
        pause_for(pause_ms);
        pause_ms = pause_ms * 2 < RESEND_MOST_MS ? pause_ms * 2 : RESEND_MOST_MS;
        g->push.flags |= DRAY_PUSH_RESEND;
        preset_answers(g);
        push_once(dray, g);
    }
    if (!dray->quick)
        pthread_cond_destroy(&g->wake);
    return g->push.code;
}

/* ---- alone ---- */

void turn_begin_alone(struct dray *dray)
{
    pthread_mutex_lock(&dray->lock);
    if (dray->quick)
        return; /* keeps the lock, as every call on a quick driver does */
    if (dray->leading) {
        dray->waiting_alone++;
        while (!dray->handed_over)
            pthread_cond_wait(&dray->led, &dray->lock);
        dray->waiting_alone--;
        dray->handed_over = 0;
    }
    dray->leading = 1;
    pthread_mutex_unlock(&dray->lock);
}

void turn_end_alone(struct dray *dray)
{
    if (!dray->quick) {
        pthread_mutex_lock(&dray->lock);
        dray->leading = 0;
    }
    pass_the_lead(dray, 1);
    pthread_mutex_unlock(&dray->lock);
}
