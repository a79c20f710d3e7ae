/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on the driver under test, with everything presets and sinks need. */
#include "subject.h"

#include "check.h"
#include "journal.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct calling {
    struct dray_call call;
    struct subject *subject;
};

static void *grow(void *list, size_t *room, size_t n, size_t size)
{
    if (n < *room)
        return list;
    *room = *room ? *room * 2 : 16;
    list = realloc(list, *room * size);
    if (!list) {
        fprintf(stderr, "conformance: out of memory\n");
        exit(70);
    }
    return list;
}

static struct dray_str keep(char **at, struct dray_str text)
{
    struct dray_str copy = {*at, text.len};

    if (text.len)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static void shown_add(struct shown_list *list, const struct dray_job *job)
{
    list->at = grow(list->at, &list->room, list->n, sizeof(*list->at));
    struct shown *shown = &list->at[list->n++];
    struct dray_str *texts[] = {&shown->job.id, &shown->job.queue, &shown->job.type,
        &shown->job.payload, &shown->job.name, &shown->job.unique, &shown->job.group,
        &shown->job.owner, &shown->job.error, &shown->job.result, &shown->job.progress};
    size_t total = 1;

    shown->job = *job;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        total += texts[i]->len;
    shown->bytes = malloc(total);
    if (!shown->bytes) {
        fprintf(stderr, "conformance: out of memory\n");
        exit(70);
    }
    char *at = shown->bytes;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = keep(&at, *texts[i]);
}

void shown_free(struct shown_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i].bytes);
    free(list->at);
    memset(list, 0, sizeof(*list));
}

static void begin_showing(struct subject *subject)
{
    struct shown_list *past = &subject->past;

    if (subject->listed)
        shown_free(&subject->shown);
    subject->listed = 0;
    for (size_t i = 0; i < subject->shown.n; i++) {
        past->at = grow(past->at, &past->room, past->n, sizeof(*past->at));
        past->at[past->n++] = subject->shown.at[i];
    }
    subject->shown.n = 0;
}

static void sink_job(struct dray_call *call, const struct dray_job *job)
{
    shown_add(&((struct calling *)(void *)call)->subject->shown, job);
}

static void copy_text(char *out, size_t size, struct dray_str text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.len ? text.data : "");
}

static void sink_stats(struct dray_call *call, const struct dray_stats_row *row)
{
    struct row_list *list = &((struct calling *)(void *)call)->subject->rows;

    list->at = grow(list->at, &list->room, list->n, sizeof(*list->at));
    struct row *copy = &list->at[list->n++];
    copy->row = *row;
    copy_text(copy->queue, sizeof(copy->queue), row->queue);
    copy_text(copy->type, sizeof(copy->type), row->type);
    copy_text(copy->consumer, sizeof(copy->consumer), row->consumer);
}

static void sink_note(struct dray_call *call, const char *line)
{
    (void)call;
    (void)line;
}

static struct calling begin(struct subject *subject)
{
    subject->error.code = 0;
    subject->error.text[0] = 0;
    return (struct calling){{.size = sizeof(struct dray_call),
                                .budget_ms = subject->budget_ms,
                                .error = &subject->error,
                                .job = sink_job,
                                .stats = sink_stats,
                                .note = sink_note,
                                .next_ms = DRAY_NEXT_UNKNOWN},
        subject};
}

struct dray_str str(const char *text)
{
    return (struct dray_str){text, strlen(text)};
}

int str_same(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int str_is(struct dray_str a, const char *text)
{
    return str_same(a, str(text));
}

struct dray_job job_of(const char *id)
{
    return (struct dray_job){.size = sizeof(struct dray_job),
        .priority = DRAY_PRIORITY_NORMAL,
        .id = str(id),
        .queue = str("q"),
        .type = str("t"),
        .payload = str("{\"n\":1}")};
}

int32_t subject_turn(struct subject *subject, struct dray_turn *turn)
{
    struct calling calling = begin(subject);

    turn->size = sizeof(*turn);
    if (turn->reserve)
        begin_showing(subject);
    journal_doing("turn: %u settled, %u groups pushed, %u extended, %u wanted", turn->nsettle,
        turn->npush, turn->nextend, turn->reserve ? turn->reserve->max : 0);
    int32_t code = subject->driver->turn(subject->self, &calling.call, turn);
    if (code != DRAY_OK) {
        for (uint32_t i = 0; i < turn->nsettle; i++)
            turn->settle_answers[i] = code;
        for (uint32_t i = 0; i < turn->npush; i++)
            turn->push[i]->code = code;
        for (uint32_t i = 0; i < turn->nextend; i++)
            turn->extend_answers[i] = code;
        turn->reserve_code = code;
    }
    subject->next_ms = calling.call.next_ms;
    subject->code = code;
    trace_turn(turn, &subject->shown);
    return code;
}

static int by_turn(const struct subject *subject)
{
    return subject->by_turn && subject->driver->turn;
}

int32_t subject_push_group(struct subject *subject, struct dray_push *group)
{
    struct calling calling = begin(subject);

    group->size = sizeof(*group);
    group->code = DRAY_OK;
    for (uint32_t i = 0; i < group->njobs; i++) {
        group->answers[i] = DRAY_OK;
        if (group->holders)
            group->holders[i][0] = 0;
    }
    if (by_turn(subject)) {
        struct dray_turn turn = {.npush = 1, .push = &group};
        subject_turn(subject, &turn);
        return subject->code = group->code;
    }
    journal_doing("push of %u to %.*s", group->njobs, (int)group->queue.len, group->queue.data);
    subject->code = subject->driver->push(subject->self, &calling.call, group);
    trace_group(group, subject->code);
    return subject->code;
}

int32_t subject_push(struct subject *subject, const struct dray_job *jobs, uint32_t n,
    uint32_t flags, int32_t *answers, char (*holders)[DRAY_NAME_MAX + 1])
{
    const struct dray_job **list = calloc(n + 1, sizeof(struct dray_job *));
    int32_t *own = calloc(n + 1, sizeof(*own));
    int32_t code = DRAY_NOMEM;

    if (list && own) {
        for (uint32_t i = 0; i < n; i++)
            list[i] = &jobs[i];
        struct dray_push group = {.flags = flags,
            .queue = jobs[0].queue,
            .jobs = list,
            .answers = answers ? answers : own,
            .holders = holders,
            .njobs = n};
        code = subject_push_group(subject, &group);
    }
    free(list);
    free(own);
    return code;
}

int32_t subject_push_one(struct subject *subject, struct dray_job job)
{
    int32_t answer = DRAY_OK;
    int32_t code = subject_push(subject, &job, 1, 0, &answer, NULL);

    return code != DRAY_OK ? code : answer;
}

int32_t subject_reserve_want(struct subject *subject, struct dray_reserve *want)
{
    struct calling calling = begin(subject);

    want->size = sizeof(*want);
    if (!want->nonce)
        want->nonce = ++subject->nonce;
    if (!want->owner.len)
        want->owner = str("host-a:41");
    if (!want->keep_max) {
        want->keep_max = UINT64_MAX;
        want->keep_done_ms = UINT64_MAX;
        want->keep_dead_ms = UINT64_MAX;
    }
    if (by_turn(subject)) {
        struct dray_turn turn = {.reserve = want};
        subject_turn(subject, &turn);
        return subject->code = turn.reserve_code;
    }
    begin_showing(subject);
    journal_doing("reserve %u of %.*s", want->max, (int)want->queues[0].len, want->queues[0].data);
    subject->code = subject->driver->reserve(subject->self, &calling.call, want);
    subject->next_ms = calling.call.next_ms;
    trace_reserve(want, subject->code, &subject->shown);
    return subject->code;
}

int32_t subject_reserve(struct subject *subject, uint32_t max, uint64_t lease_ms)
{
    struct dray_str queue = str("q");
    struct dray_reserve want = {.max = max, .queues = &queue, .nqueues = 1, .lease_ms = lease_ms};

    return subject_reserve_want(subject, &want);
}

struct dray_job subject_take(struct subject *subject, uint64_t lease_ms)
{
    if (subject_reserve(subject, 1, lease_ms) != DRAY_OK || subject->shown.n != 1)
        return (struct dray_job){0};
    return subject->shown.at[0].job;
}

struct dray_lease lease_of(const struct dray_job *job, uint32_t verdict)
{
    return (struct dray_lease){.size = sizeof(struct dray_lease),
        .verdict = verdict,
        .queue = job->queue,
        .id = job->id,
        .type = job->type,
        .token = job->token,
        .ref = job->ref};
}

static int is_ack(const struct dray_lease *lease)
{
    return lease->verdict == DRAY_VERDICT_DONE;
}

/* One ack, or one retry. Both kinds together go into a turn alone. */
static void settle_part(
    struct subject *subject, const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    struct calling calling = begin(subject);
    const struct dray_driver *driver = subject->driver;

    journal_doing("%s of %u", is_ack(leases[0]) ? "ack" : "retry", n);
    int32_t code = is_ack(leases[0])
                       ? driver->ack(subject->self, &calling.call, leases, answers, n)
                       : driver->retry(subject->self, &calling.call, leases, answers, n);

    for (uint32_t i = 0; code != DRAY_OK && i < n; i++)
        answers[i] = code;
    trace_leases(NULL, leases, answers, n);
}

int32_t subject_settle_all(
    struct subject *subject, const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        answers[i] = DRAY_OK;
    if (by_turn(subject) && n <= subject->driver->max_batch) {
        struct dray_turn turn = {.nsettle = n, .settle = leases, .settle_answers = answers};
        return subject_turn(subject, &turn);
    }
    for (uint32_t i = 0, part; i < n; i += part) {
        for (part = 1; i + part < n && part < subject->driver->max_batch; part++) {
            if (is_ack(leases[i]) != is_ack(leases[i + part]))
                break;
        }
        settle_part(subject, leases + i, answers + i, part);
    }
    return DRAY_OK;
}

int32_t subject_settle(struct subject *subject, struct dray_lease lease)
{
    const struct dray_lease *list = &lease;
    int32_t answer;

    subject_settle_all(subject, &list, &answer, 1);
    return answer;
}

int32_t subject_extend_all(
    struct subject *subject, const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    struct calling calling = begin(subject);
    uint32_t most = subject->driver->max_batch;

    for (uint32_t i = 0; i < n; i++)
        answers[i] = DRAY_OK;
    if (by_turn(subject) && n <= most) {
        struct dray_turn turn = {.nextend = n, .extend = leases, .extend_answers = answers};
        return subject_turn(subject, &turn);
    }
    for (uint32_t i = 0; i < n; i += most) {
        uint32_t part = n - i < most ? n - i : most;
        journal_doing("extend of %u", part);
        int32_t code =
            subject->driver->extend(subject->self, &calling.call, leases + i, answers + i, part);
        for (uint32_t k = i; code != DRAY_OK && k < i + part; k++)
            answers[k] = code;
        trace_leases("extend", leases + i, answers + i, part);
    }
    return DRAY_OK;
}

int32_t subject_extend(struct subject *subject, struct dray_lease lease, uint64_t lease_ms)
{
    const struct dray_lease *list = &lease;
    int32_t answer;

    lease.lease_ms = lease_ms;
    subject_extend_all(subject, &list, &answer, 1);
    return answer;
}

int32_t subject_change(
    struct subject *subject, uint32_t what, const char *queue, const char *id, uint32_t flags)
{
    struct calling calling = begin(subject);
    struct dray_str ids = str(id ? id : "");
    int32_t answer = DRAY_OK;
    struct dray_change change = {.size = sizeof(change),
        .what = what,
        .flags = flags,
        .nids = id != NULL,
        .queue = str(queue),
        .ids = &ids,
        .answers = &answer};

    journal_doing("change %u of %s%s%s", what, queue, id ? "/" : "", id ? id : "");
    subject->code = subject->driver->change(subject->self, &calling.call, &change);
    trace_change(&change, subject->code);
    return subject->code != DRAY_OK ? subject->code : answer;
}

int32_t subject_list(struct subject *subject, struct dray_filter *filter, uint32_t page)
{
    struct calling calling = begin(subject);

    begin_showing(subject);
    subject->listed = 1;
    filter->size = sizeof(*filter);
    filter->max = page;
    for (int calls = 0; calls < 100000; calls++) {
        journal_doing("list of %u", page);
        subject->code = subject->driver->list(subject->self, &calling.call, filter);
        journal_add("list: %s, %zu shown", code_name(subject->code), subject->shown.n);
        if (subject->code != DRAY_OK || (!filter->cursor[0] && !filter->cursor[1]))
            return subject->code;
    }
    return subject->code = DRAY_UNKNOWN; /* a listing that does not end */
}

int32_t subject_list_page(struct subject *subject, struct dray_filter *filter)
{
    struct calling calling = begin(subject);

    begin_showing(subject);
    journal_doing("list of %u", filter->max);
    subject->code = subject->driver->list(subject->self, &calling.call, filter);
    journal_add("list: %s, %zu shown", code_name(subject->code), subject->shown.n);
    return subject->code;
}

struct dray_job subject_find(struct subject *subject, const char *id)
{
    struct dray_filter filter = {.queue = str("q"), .id = str(id)};

    if (subject_list(subject, &filter, 10) != DRAY_OK || subject->shown.n != 1)
        return (struct dray_job){0};
    return subject->shown.at[0].job;
}

int32_t subject_stats(struct subject *subject, const struct dray_str *queues, uint32_t n)
{
    struct calling calling = begin(subject);

    subject->rows.n = 0;
    journal_doing("stats of %u queues", n);
    subject->code = subject->driver->stats(subject->self, &calling.call, queues, n);
    journal_add("stats: %s, %zu rows", code_name(subject->code), subject->rows.n);
    return subject->code;
}

int32_t subject_tend(struct subject *subject, uint32_t what, struct dray_tend *found)
{
    struct calling calling = begin(subject);

    *found = (struct dray_tend){.size = sizeof(*found), .what = what};
    journal_doing("tend %u", what);
    subject->code = subject->driver->tend(subject->self, &calling.call, found);
    journal_add("tend %u: %s", what, code_name(subject->code));
    return subject->code;
}

int32_t subject_watch(struct subject *subject, const char *queue, int32_t *fd)
{
    struct calling calling = begin(subject);
    struct dray_str name = str(queue);

    *fd = -1;
    journal_doing("watch %s", queue);
    subject->code = subject->driver->watch(subject->self, &calling.call, &name, 1, fd);
    journal_add("watch %s: %s", queue, code_name(subject->code));
    return subject->code;
}

const struct dray_stats_row *subject_row(
    struct subject *subject, const char *queue, const char *type)
{
    static const struct dray_stats_row none;

    for (size_t i = 0; i < subject->rows.n; i++) {
        if (strcmp(subject->rows.at[i].queue, queue) == 0 &&
            strcmp(subject->rows.at[i].type, type) == 0)
            return &subject->rows.at[i].row;
    }
    return &none;
}
