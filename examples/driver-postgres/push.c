/* SPDX-License-Identifier: CC0-1.0 */
/* One group of jobs: all of it in one statement, and a second one if not all could be stored. */
#include "store.h"
#include "turn.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The arrays of SQL_PUSH, in order. */
enum { TEXT, WORD, LONG, TIME, SPAN };
static const struct column {
    int kind;
    size_t offset;
} columns[] = {
    {TEXT, offsetof(struct dray_job, id)},
    {TEXT, offsetof(struct dray_job, type)},
    {TEXT, offsetof(struct dray_job, payload)},
    {TEXT, offsetof(struct dray_job, name)},
    {TEXT, offsetof(struct dray_job, unique)},
    {TEXT, offsetof(struct dray_job, group)},
    {WORD, offsetof(struct dray_job, priority)},
    {TIME, offsetof(struct dray_job, run_at_ms)},
    {SPAN, offsetof(struct dray_job, delay_ms)},
    {LONG, offsetof(struct dray_job, timeout_ms)},
    {WORD, offsetof(struct dray_job, max_attempts)},
    {WORD, offsetof(struct dray_job, state)},
    {WORD, offsetof(struct dray_job, attempts)},
    {WORD, offsetof(struct dray_job, releases)},
    {LONG, offsetof(struct dray_job, token.counter)},
    {LONG, offsetof(struct dray_job, created_ms)},
    {LONG, offsetof(struct dray_job, ended_ms)},
    {TEXT, offsetof(struct dray_job, error)},
    {TEXT, offsetof(struct dray_job, result)},
    {TEXT, offsetof(struct dray_job, progress)},
};

static void add_value(struct store *store, const struct column *column, const struct dray_job *job)
{
    const char *at = (const char *)job + column->offset;
    int64_t number = 0;
    uint32_t word = 0;
    struct dray_str text;
    if (column->kind == TEXT) {
        memcpy(&text, at, sizeof(text));
        args_add_text(store, text);
        return;
    }
    if (column->kind == WORD) {
        memcpy(&word, at, sizeof(word));
        number = word;
    } else {
        memcpy(&number, at, sizeof(number));
    }
    if (column->kind == TIME && number)
        number = store_schedule(store, number);
    if (column->kind == SPAN)
        number = args_span_of((uint64_t)number);
    args_add_number(store, number);
}

static void add_column(
    struct store *store, const struct dray_push *group, const struct column *column)
{
    if (column->kind == TEXT)
        args_texts(store, group->njobs);
    else
        args_numbers(store, group->njobs);
    for (uint32_t i = 0; i < group->njobs; i++)
        add_value(store, column, group->jobs[i]);
}

static int32_t store_members(
    struct store *store, struct dray_call *call, const struct dray_push *group, PGresult **stored)
{
    args_begin(store);
    args_text(store, group->queue);
    args_number(store, group->flags & DRAY_PUSH_RESEND);
    args_number(store, group->flags & DRAY_PUSH_RESTORE);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        add_column(store, group, &columns[i]);
    return link_ask(store, call, SQL_PUSH, stored);
}

static void add_refs(struct store *store, const PGresult *stored)
{
    args_numbers(store, (uint32_t)PQntuples(stored));
    for (int row = 0; row < PQntuples(stored); row++)
        args_add_number(store, link_number(stored, row, 0));
}

static int32_t undo(struct store *store, struct dray_call *call, const PGresult *stored)
{
    PGresult *rows = NULL;
    args_begin(store);
    add_refs(store, stored);
    int32_t code = link_ask(store, call, SQL_PUSH_UNDO, &rows);
    PQclear(rows);
    return code;
}

/* The answer of a member that was not stored. DRAY_OK: what stood in its way is gone by now. */
static int32_t answer_of(const PGresult *look, int row, struct dray_push *group)
{
    const char *holder = PQgetvalue(look, row, 1);
    int64_t there = link_number(look, row, 0);
    if (there)
        return there == 1 ? DRAY_EXISTS : DRAY_CONFLICT;
    if ((group->flags & DRAY_PUSH_RESEND) && link_number(look, row, 2))
        return DRAY_EXISTS;
    if (holder[0] && group->holders)
        snprintf(group->holders[row], sizeof(group->holders[row]), "%s", holder);
    return holder[0] ? DRAY_DUPLICATE : DRAY_OK;
}

/* Not all members were stored: says why, and undoes the group if it is refused. */
static int32_t look(
    struct store *store, struct dray_call *call, struct dray_push *group, const PGresult *stored)
{
    PGresult *rows = NULL;
    static const int compared[] = {0, 1, 2, 4}; /* of `columns` */
    args_begin(store);
    args_text(store, group->queue);
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++)
        add_column(store, group, &columns[compared[i]]);
    add_refs(store, stored);
    int32_t code = link_ask(store, call, SQL_PUSH_LOOK, &rows);
    for (int row = 0; code == DRAY_OK && row < PQntuples(rows); row++) {
        if (link_number(stored, row, 1))
            continue;
        int32_t answer = answer_of(rows, row, group);
        if (answer == DRAY_OK)
            code = store->host->fail(call, DRAY_BUSY, 0,
                "%s: a job came and went meanwhile; push again", store->link.where);
        group->answers[row] = answer;
        if (answer != DRAY_EXISTS && group->code == DRAY_OK)
            group->code = answer;
    }
    PQclear(rows);
    return code == DRAY_OK && group->code != DRAY_OK ? undo(store, call, stored) : code;
}

/* ------------------------------------------------------------------------------------------- */
/* Bounds                                                                                      */
/* ------------------------------------------------------------------------------------------- */

static int32_t stay_alone(
    struct store *store, struct dray_call *call, const struct dray_push *group)
{
    PGresult *rows = NULL;
    if (!group->capacity)
        return DRAY_OK;
    args_begin(store);
    args_text(store, group->queue);
    int32_t code = link_ask(store, call, SQL_PUSH_ALONE, &rows);
    PQclear(rows);
    return code;
}

static int32_t check_room(
    struct store *store, struct dray_call *call, struct dray_push *group, const PGresult *stored)
{
    PGresult *rows = NULL;
    int64_t most = group->capacity < INT32_MAX ? (int64_t)group->capacity : INT32_MAX;
    if (!group->capacity)
        return DRAY_OK;
    args_begin(store);
    args_text(store, group->queue);
    args_number(store, most + 1);
    int32_t code = link_ask(store, call, SQL_PUSH_LIVE, &rows);
    int over = code == DRAY_OK && link_number(rows, 0, 0) > most;
    PQclear(rows);
    if (!over)
        return code;
    group->code = store->host->fail(call, DRAY_FULL, 0, "the queue %.*s holds %lld jobs, its most",
        (int)group->queue.len, group->queue.data, (long long)most);
    return undo(store, call, stored);
}

static void count(struct store *store, const struct dray_push *group, const PGresult *stored)
{
    int any = 0;
    for (int row = 0; row < PQntuples(stored); row++) {
        if (!link_number(stored, row, 1))
            continue;
        any = 1;
        if (!(group->flags & DRAY_PUSH_RESTORE))
            tally_add(store, group->queue, group->jobs[row]->type, TALLY_PUSHED, 1);
    }
    if (any)
        tally_ring(store, group->queue);
}

int32_t part_push(struct store *store, struct dray_call *call, struct dray_push *group)
{
    PGresult *stored = NULL;
    int fresh = 0;
    if (group->njobs > STORE_PUSH_MAX) {
        group->code = store->host->fail(call, DRAY_LIMIT, 0,
            "a batch of %u jobs: postgres takes at most %u at once; split it", group->njobs,
            STORE_PUSH_MAX);
        return DRAY_OK;
    }
    int32_t code = stay_alone(store, call, group);
    if (code == DRAY_OK)
        code = store_members(store, call, group, &stored);
    for (int row = 0; code == DRAY_OK && row < PQntuples(stored); row++)
        fresh += link_number(stored, row, 1) != 0;
    if (code == DRAY_OK && (uint32_t)fresh < group->njobs)
        code = look(store, call, group, stored);
    if (code == DRAY_OK && group->code == DRAY_OK && fresh)
        code = check_room(store, call, group, stored);
    if (code == DRAY_OK && group->code == DRAY_OK)
        count(store, group, stored);
    PQclear(stored);
    return code;
}
