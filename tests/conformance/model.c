/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int wrong(struct model *model, const char *fmt, ...) DRAY_PRINTF(2, 3);

static int wrong(struct model *model, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(model->why, sizeof(model->why), fmt, args);
    va_end(args);
    return 0;
}

static void copy(char *out, size_t size, struct dray_str text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.len ? text.data : "");
}

#define COPY(out, text) copy((out), sizeof(out), (text))

void model_init(struct model *model, const struct subject *subject)
{
    memset(model, 0, sizeof(*model));
    model->can = subject->driver->can;
    model->mono_ms = subject->mono_ms;
    model->wall_ms = subject->wall_ms;
}

void model_advance(struct model *model, int64_t ms)
{
    model->mono_ms += ms;
    model->wall_ms += ms;
    model->event++;
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        int due = job->state == DRAY_STATE_DELAYED && job->due_ms <= model->mono_ms;
        int over = job->state == DRAY_STATE_ACTIVE && job->until_ms < model->mono_ms;
        if ((due || over) && !job->pending) {
            job->pending = 1;
            job->entered_from = model->event;
        }
    }
}

static struct model_row *row_of(struct model *model, const char *queue, const char *type)
{
    static struct model_row overflow;

    for (size_t i = 0; i < model->nrows; i++) {
        if (strcmp(model->rows[i].queue, queue) == 0 && strcmp(model->rows[i].type, type) == 0)
            return &model->rows[i];
    }
    if (model->nrows == MODEL_ROWS)
        return &overflow;
    struct model_row *row = &model->rows[model->nrows++];
    snprintf(row->queue, sizeof(row->queue), "%s", queue);
    snprintf(row->type, sizeof(row->type), "%s", type);
    return row;
}

static struct model_row *totals_of(struct model *model, const struct model_job *job)
{
    return row_of(model, job->queue, job->type);
}

static struct model_job *find(struct model *model, struct dray_str queue, struct dray_str id)
{
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->state && str_is(id, job->id) && str_is(queue, job->queue))
            return job;
    }
    return NULL;
}

static struct model_job *holder_of(struct model *model, struct dray_str queue, struct dray_str key)
{
    for (size_t i = 0; key.len && i < MODEL_JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (job->state && job->state < DRAY_STATE_DEAD && str_is(key, job->unique) &&
            str_is(queue, job->queue))
            return job;
    }
    return NULL;
}

static struct model_job *free_place(struct model *model)
{
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        if (!model->jobs[i].state)
            return &model->jobs[i];
    }
    return NULL;
}

static void enter_ready(struct model *model, struct model_job *job)
{
    job->state = DRAY_STATE_READY;
    job->pending = 0;
    job->entered_from = job->entered_to = ++model->event;
}

static void enter_waiting(struct model *model, struct model_job *job, uint64_t delay_ms)
{
    if (!delay_ms) {
        enter_ready(model, job);
        return;
    }
    job->state = DRAY_STATE_DELAYED;
    job->pending = 0;
    job->due_ms = model->mono_ms + (int64_t)delay_ms;
}

static void enter_ended(struct model *model, struct model_job *job, uint32_t state)
{
    job->state = state;
    job->pending = 0;
    job->marked = MODEL_UNMARKED;
    job->ended_ms = model->wall_ms;
}

/* ------------------------------------------------------------------------------------------- */
/* Push                                                                                        */
/* ------------------------------------------------------------------------------------------- */

static void fill(struct model *model, struct model_job *to, const struct dray_job *job)
{
    memset(to, 0, sizeof(*to));
    COPY(to->id, job->id);
    COPY(to->queue, job->queue);
    COPY(to->type, job->type);
    COPY(to->group, job->group);
    COPY(to->name, job->name);
    COPY(to->unique, job->unique);
    COPY(to->payload, job->payload);
    to->priority = job->priority;
    to->timeout_ms = job->timeout_ms;
    to->max_attempts = job->max_attempts;
    to->created_ms = model->wall_ms;
}

static void fill_restored(struct model *model, struct model_job *to, const struct dray_job *job)
{
    to->attempts = job->attempts;
    to->releases = job->releases;
    to->token.counter = job->token.counter;
    to->created_ms = job->created_ms;
    COPY(to->error, job->error);
    COPY(to->result, job->result);
    COPY(to->progress, job->progress);
    if (job->state >= DRAY_STATE_DEAD) {
        enter_ended(model, to, job->state);
        to->ended_ms = job->ended_ms;
    } else if (job->state == DRAY_STATE_DELAYED) {
        enter_waiting(model, to, (uint64_t)(job->run_at_ms - model->wall_ms));
    } else {
        enter_ready(model, to);
    }
}

static void add(
    struct model *model, struct model_job *to, const struct dray_job *job, uint32_t flags)
{
    fill(model, to, job);
    if (flags & DRAY_PUSH_RESTORE) {
        fill_restored(model, to, job);
        return;
    }
    uint64_t delay_ms = job->delay_ms;
    if (job->run_at_ms)
        delay_ms =
            job->run_at_ms > model->wall_ms ? (uint64_t)(job->run_at_ms - model->wall_ms) : 0;
    enter_waiting(model, to, delay_ms);
    totals_of(model, to)->pushed++;
}

/* What a member must be answered, given all that is there and the members before it. */
static int32_t judge(struct model *model, const struct dray_job *job, uint32_t flags, char *holder)
{
    const struct model_job *there = find(model, job->queue, job->id);

    holder[0] = 0;
    if (there) {
        int same = str_is(job->type, there->type) && str_is(job->payload, there->payload) &&
                   str_is(job->unique, there->unique);
        return same ? DRAY_EXISTS : DRAY_CONFLICT;
    }
    if ((flags & DRAY_PUSH_RESTORE) && job->state >= DRAY_STATE_DEAD)
        return DRAY_OK;
    there = holder_of(model, job->queue, job->unique);
    if (!there)
        return DRAY_OK;
    snprintf(holder, DRAY_NAME_MAX + 1, "%s", there->id);
    return DRAY_DUPLICATE;
}

int model_push(struct model *model, const struct dray_push *group, int32_t code)
{
    static struct model before; /* to go back to: a group is all or none */
    char holder[DRAY_NAME_MAX + 1];
    int32_t first = DRAY_OK;
    int added = 0;

    before = *model;
    for (uint32_t i = 0; i < group->njobs; i++) {
        int32_t wanted = judge(model, group->jobs[i], group->flags, holder);
        struct model_job *place = free_place(model);
        if (!first && (wanted == DRAY_DUPLICATE || wanted == DRAY_CONFLICT))
            first = wanted;
        if (code != DRAY_FULL && group->answers[i] != wanted)
            return wrong(model, "push of %.*s (member %u) answers %s, not %s",
                (int)group->jobs[i]->id.len, group->jobs[i]->id.data, i,
                code_name(group->answers[i]), code_name(wanted));
        if (wanted == DRAY_DUPLICATE && group->holders && strcmp(group->holders[i], holder) != 0)
            return wrong(model, "the key is held by %s, not by %s", holder, group->holders[i]);
        if (wanted == DRAY_OK && place) {
            add(model, place, group->jobs[i], group->flags);
            added++;
        }
    }
    size_t live = 0;
    char queue[DRAY_NAME_MAX + 1];
    COPY(queue, group->queue);
    for (uint32_t state = DRAY_STATE_READY; state <= DRAY_STATE_ACTIVE; state++)
        live += model_count(model, queue, state);
    if (!first && added && group->capacity && live > group->capacity)
        first = DRAY_FULL;
    if (first)
        *model = before;
    return code == first || wrong(model, "a group of %u answers %s, not %s", group->njobs,
                                code_name(code), code_name(first));
}

/* ------------------------------------------------------------------------------------------- */
/* Settle, extend                                                                              */
/* ------------------------------------------------------------------------------------------- */

static struct model_job *leased(struct model *model, const struct dray_lease *lease)
{
    struct model_job *job = find(model, lease->queue, lease->id);

    if (!job || job->state != DRAY_STATE_ACTIVE || job->token.counter != lease->token.counter ||
        job->token.nonce != lease->token.nonce)
        return NULL;
    return job;
}

static void keep_notes(struct model_job *job, const struct dray_lease *lease)
{
    if (lease->error.len)
        COPY(job->error, lease->error);
    if (lease->progress.len)
        COPY(job->progress, lease->progress);
}

static void count_run(struct model_row *row, const struct dray_lease *lease)
{
    row->runs++;
    row->run_ms += lease->run_ms;
}

static void apply_done(struct model *model, struct model_job *job, const struct dray_lease *lease)
{
    struct model_row *row = totals_of(model, job);

    row->completed++;
    count_run(row, lease);
    if (!(lease->flags & DRAY_LEASE_KEEP)) {
        job->state = 0;
        return;
    }
    keep_notes(job, lease);
    if (lease->result.len)
        COPY(job->result, lease->result);
    enter_ended(model, job, DRAY_STATE_DONE);
}

static void apply_retry(struct model *model, struct model_job *job, const struct dray_lease *lease)
{
    struct model_row *row = totals_of(model, job);
    int uncharge = lease->flags & DRAY_LEASE_UNCHARGE;

    keep_notes(job, lease);
    switch (lease->verdict) {
    case DRAY_VERDICT_BURY:
        row->died++;
        if (uncharge) {
            job->attempts--;
        } else {
            row->failed++;
            count_run(row, lease);
        }
        enter_ended(model, job, DRAY_STATE_DEAD);
        return;
    case DRAY_VERDICT_AGAIN:
        row->failed++;
        row->retried++;
        count_run(row, lease);
        job->releases = 0;
        break;
    case DRAY_VERDICT_RELEASE:
        job->attempts--;
        job->releases++;
        break;
    default:
        row->completed++;
        count_run(row, lease);
        job->attempts = job->releases = 0;
        break;
    }
    enter_waiting(model, job, lease->delay_ms);
}

int model_settle(struct model *model, const struct dray_lease *lease, int32_t answer)
{
    struct model_job *job = leased(model, lease);
    int32_t wanted = job ? DRAY_OK : DRAY_STALE;
    int bound = lease->verdict != DRAY_VERDICT_DONE && lease->verdict != DRAY_VERDICT_BURY;

    if (job && bound && job->marked == MODEL_MARKED)
        wanted = DRAY_CANCELLED;
    if (job && bound && job->marked == MODEL_MAYBE_MARKED && answer == DRAY_CANCELLED)
        wanted = DRAY_CANCELLED;
    if (answer != wanted)
        return wrong(model, "verdict %u on %.*s answers %s, not %s", lease->verdict,
            (int)lease->id.len, lease->id.data, code_name(answer), code_name(wanted));
    if (wanted != DRAY_OK)
        return 1;
    if (lease->verdict == DRAY_VERDICT_DONE)
        apply_done(model, job, lease);
    else
        apply_retry(model, job, lease);
    return 1;
}

int model_extend(struct model *model, const struct dray_lease *lease, int32_t answer)
{
    struct model_job *job = leased(model, lease);
    int32_t wanted = !job ? DRAY_STALE : job->marked == MODEL_MARKED ? DRAY_CANCELLED : DRAY_OK;

    if (job && job->marked == MODEL_MAYBE_MARKED && answer == DRAY_CANCELLED)
        wanted = DRAY_CANCELLED;
    if (answer != wanted)
        return wrong(model, "extend of %.*s answers %s, not %s", (int)lease->id.len, lease->id.data,
            code_name(answer), code_name(wanted));
    if (!job)
        return 1;
    if (lease->progress.len)
        COPY(job->progress, lease->progress);
    int64_t until = model->mono_ms + (int64_t)lease->lease_ms;
    if (until > job->until_ms)
        job->until_ms = until;
    if (job->until_ms >= model->mono_ms)
        job->pending = 0;
    return 1;
}

/* ------------------------------------------------------------------------------------------- */
/* Reserve                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static void sweep(struct model *model, struct dray_str queue)
{
    uint64_t now = ++model->event;

    for (size_t i = 0; i < MODEL_JOBS; i++) {
        struct model_job *job = &model->jobs[i];
        if (!job->state || !job->pending || !str_is(queue, job->queue))
            continue;
        if (job->state == DRAY_STATE_ACTIVE) {
            totals_of(model, job)->failed++;
            snprintf(job->error, sizeof(job->error), "lease expired");
            /* Whether a mark outlives the lease is not said. */
            if (job->marked)
                job->marked = MODEL_MAYBE_MARKED;
        }
        job->state = DRAY_STATE_READY;
        job->pending = 0;
        job->entered_to = now;
    }
}

static int is_paused(struct model *model, const char *queue)
{
    return row_of(model, queue, "")->paused;
}

static int asked(const struct dray_reserve *want, const char *queue)
{
    for (uint32_t i = 0; i < want->nqueues; i++) {
        if (str_is(want->queues[i], queue))
            return (int)i + 1;
    }
    return 0;
}

/* The job, still ready, that should have come before `job`, or NULL. */
static const struct model_job *passed_over(
    const struct model *model, const struct dray_reserve *want, const struct model_job *job)
{
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        const struct model_job *other = &model->jobs[i];
        if (other == job || other->state != DRAY_STATE_READY ||
            strcmp(other->queue, job->queue) != 0)
            continue;
        if (other->priority < job->priority)
            return other;
        if (other->priority == job->priority && other->entered_to < job->entered_from)
            return other;
    }
    (void)want;
    return NULL;
}

static int take(struct model *model, const struct dray_reserve *want, const struct dray_job *shown)
{
    struct model_job *job = find(model, shown->queue, shown->id);

    if (!job || !asked(want, job->queue))
        return wrong(
            model, "%.*s is handed out, and is not there", (int)shown->id.len, shown->id.data);
    if (job->state != DRAY_STATE_READY)
        return wrong(model, "%s is handed out in state %u", job->id, job->state);
    if (is_paused(model, job->queue))
        return wrong(model, "%s is handed out of a paused queue", job->id);
    const struct model_job *earlier = passed_over(model, want, job);
    if (earlier && (model->can & DRAY_CAN_PRIORITY))
        return wrong(model, "%s (priority %u) is handed out before %s (priority %u)", job->id,
            job->priority, earlier->id, earlier->priority);
    if (shown->attempts != job->attempts + 1 || shown->releases != job->releases)
        return wrong(model, "%s is handed out with %u attempts and %u releases, not %u and %u",
            job->id, shown->attempts, shown->releases, job->attempts + 1, job->releases);
    if (shown->token.counter <= job->token.counter || shown->token.nonce != want->nonce)
        return wrong(model, "%s is handed out with a token that is not new", job->id);
    if (!str_is(shown->payload, job->payload) || !str_is(shown->type, job->type))
        return wrong(model, "%s is handed out with another payload or type", job->id);
    if (!str_is(shown->error, job->error))
        return wrong(model, "%s is handed out with the error \"%.*s\", not \"%s\"", job->id,
            (int)shown->error.len, shown->error.data, job->error);
    job->state = DRAY_STATE_ACTIVE;
    job->attempts++;
    job->token = shown->token;
    job->until_ms = model->mono_ms + (int64_t)want->lease_ms;
    COPY(job->owner, want->owner);
    return 1;
}

int model_reserve(
    struct model *model, const struct dray_reserve *want, const struct shown_list *handed)
{
    int last = 0;

    for (uint32_t i = 0; i < want->nqueues; i++)
        sweep(model, want->queues[i]);
    if (handed->n > want->max)
        return wrong(model, "%zu jobs are handed out, %u were wanted", handed->n, want->max);
    for (size_t i = 0; i < handed->n; i++) {
        if (!take(model, want, &handed->at[i].job))
            return 0;
        char queue[DRAY_NAME_MAX + 1];
        COPY(queue, handed->at[i].job.queue);
        if (asked(want, queue) < last)
            return wrong(model, "queues are not tried in the order given");
        last = asked(want, queue);
    }
    if (handed->n == want->max)
        return 1;
    for (size_t i = 0; i < MODEL_JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->state == DRAY_STATE_READY && asked(want, job->queue) &&
            !is_paused(model, job->queue))
            return wrong(model, "%s is ready and not handed out, though there was room", job->id);
    }
    return 1;
}

/* ------------------------------------------------------------------------------------------- */
/* Changes                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static int32_t judge_change(
    struct model *model, const struct model_job *job, uint32_t what, uint32_t flags)
{
    const struct model_job *holder;

    switch (what) {
    case DRAY_CHANGE_KICK:
        if (job->state == DRAY_STATE_ACTIVE || job->state == DRAY_STATE_DONE)
            return DRAY_CONFLICT;
        holder = holder_of(model, str(job->queue), str(job->unique));
        return job->state == DRAY_STATE_DEAD && holder ? DRAY_DUPLICATE : DRAY_OK;
    case DRAY_CHANGE_CANCEL:
        return job->state >= DRAY_STATE_DEAD ? DRAY_CONFLICT : DRAY_OK;
    default:
        return job->state == DRAY_STATE_ACTIVE && !(flags & DRAY_CHANGE_FORCE) ? DRAY_CONFLICT
                                                                               : DRAY_OK;
    }
}

static void apply_change(struct model *model, struct model_job *job, uint32_t what)
{
    if (what == DRAY_CHANGE_REMOVE) {
        job->state = 0;
    } else if (what == DRAY_CHANGE_CANCEL && job->state == DRAY_STATE_ACTIVE) {
        job->marked = MODEL_MARKED;
    } else if (what == DRAY_CHANGE_CANCEL) {
        snprintf(job->error, sizeof(job->error), "cancelled");
        totals_of(model, job)->died++;
        enter_ended(model, job, DRAY_STATE_DEAD);
    } else if (job->state == DRAY_STATE_DEAD) {
        job->attempts = job->releases = 0;
        job->error[0] = 0;
        job->ended_ms = 0;
        enter_ready(model, job);
    } else if (job->state == DRAY_STATE_DELAYED) {
        enter_ready(model, job);
    }
}

static void change_queue(struct model *model, uint32_t what, const char *queue)
{
    if (what != DRAY_CHANGE_RESET) {
        row_of(model, queue, "")->paused = what == DRAY_CHANGE_PAUSE;
        return;
    }
    for (size_t i = 0; i < model->nrows; i++) {
        struct model_row *row = &model->rows[i], old = *row;
        if (strcmp(row->queue, queue) != 0 || !row->type[0])
            continue;
        memset(row, 0, sizeof(*row));
        memcpy(row->queue, old.queue, sizeof(row->queue));
        memcpy(row->type, old.type, sizeof(row->type));
    }
}

int model_change(struct model *model, uint32_t what, const char *queue, const char *id,
    uint32_t flags, int32_t answer)
{
    int32_t wanted = DRAY_OK;
    struct model_job *job = NULL;

    if (id) {
        job = find(model, str(queue), str(id));
        wanted = job ? judge_change(model, job, what, flags) : DRAY_NOTFOUND;
        /* An expired lease that nobody has looked at yet is still a lease to some. */
        if (job && job->pending && job->state == DRAY_STATE_ACTIVE)
            return wrong(model, "the history changes a job whose lease is over");
    }
    if (answer != wanted)
        return wrong(model, "change %u of %s answers %s, not %s", what, id ? id : queue,
            code_name(answer), code_name(wanted));
    if (job && wanted == DRAY_OK)
        apply_change(model, job, what);
    if (!id)
        change_queue(model, what, queue);
    return 1;
}

size_t model_count(const struct model *model, const char *queue, uint32_t state)
{
    size_t n = 0;

    for (size_t i = 0; i < MODEL_JOBS; i++) {
        const struct model_job *job = &model->jobs[i];
        n += job->state && (!state || job->state == state) && strcmp(job->queue, queue) == 0;
    }
    return n;
}
