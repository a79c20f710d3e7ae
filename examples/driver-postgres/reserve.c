/* SPDX-License-Identifier: CC0-1.0 */
/* A look for work: sweep, hand out, tell when to look again. */
#include "store.h"
#include "turn.h"

#include <stdlib.h>

#define PRUNE_MS 1000
#define PRUNE_SLICE 256 /* as SQL_PRUNE has it: there may be more */
#define LOCKED_MS 50    /* jobs that are ready, but being taken by others: look again */

static void begin(struct store *store, const struct dray_reserve *want)
{
    args_begin(store);
    args_texts(store, want->nqueues);
    for (uint32_t i = 0; i < want->nqueues; i++)
        args_add_text(store, want->queues[i]);
}

/* Puts back what has expired, promotes what is due, notes who looks. */
static int32_t sweep(struct store *store, struct dray_call *call, const struct dray_reserve *want)
{
    PGresult *rows = NULL;
    begin(store, want);
    args_text(store, want->max ? want->owner : str_of("", 0));
    int32_t code = link_ask(store, call, SQL_SWEEP, &rows);
    for (int row = 0; code == DRAY_OK && row < PQntuples(rows); row++)
        tally_add(store, link_text(rows, row, 0), link_text(rows, row, 1), TALLY_FAILED,
            link_number(rows, row, 2));
    PQclear(rows);
    return code;
}

/* Keeps an answer until the commit, and counts its jobs off *room. */
static int32_t hold(struct store *store, struct dray_call *call, PGresult *rows, uint32_t *room)
{
    if (!PQntuples(rows)) {
        PQclear(rows);
        return DRAY_OK;
    }
    if (store->nheld == store->held_room) {
        uint32_t n = store->held_room * 2 + 4;
        PGresult **held = store->host->resize(store->host, store->held, n * sizeof(PGresult *));
        if (!held) {
            PQclear(rows);
            return store_no_memory(store, call);
        }
        store->held = held;
        store->held_room = n;
    }
    store->held[store->nheld++] = rows;
    *room -= (uint32_t)PQntuples(rows) < *room ? (uint32_t)PQntuples(rows) : *room;
    return DRAY_OK;
}

static int32_t replay(
    struct store *store, struct dray_call *call, const struct dray_reserve *want, uint32_t *room)
{
    PGresult *rows = NULL;
    begin(store, want);
    args_number(store, (int64_t)want->nonce);
    args_number(store, *room);
    int32_t code = link_ask(store, call, SQL_REPLAY, &rows);
    return code == DRAY_OK ? hold(store, call, rows, room) : code;
}

static int32_t take(struct store *store, struct dray_call *call, const struct dray_reserve *want,
    struct dray_str queue, uint32_t *room)
{
    PGresult *rows = NULL;
    args_begin(store);
    args_text(store, queue);
    args_number(store, *room);
    args_number(store, (int64_t)want->nonce);
    args_span(store, want->lease_ms);
    args_text(store, want->owner);
    int32_t code = link_ask(store, call, SQL_TAKE, &rows);
    return code == DRAY_OK ? hold(store, call, rows, room) : code;
}

static int32_t look_again(
    struct store *store, struct dray_call *call, const struct dray_reserve *want, uint32_t room)
{
    PGresult *rows = NULL;
    begin(store, want);
    int32_t code = link_ask(store, call, SQL_NEXT, &rows);
    if (code == DRAY_OK) {
        call->next_ms = DRAY_NEXT_NEVER;
        if (link_number(rows, 0, 0))
            call->next_ms = want->max && room ? LOCKED_MS : 0;
        for (int column = 1; column <= 2; column++) {
            int64_t ms = link_number(rows, 0, column);
            if (!PQgetisnull(rows, 0, column) && (uint64_t)(ms > 0 ? ms : 0) < call->next_ms)
                call->next_ms = (uint64_t)(ms > 0 ? ms : 0);
        }
    }
    PQclear(rows);
    return code;
}

static int64_t span_or_never(uint64_t ms)
{
    return ms < INT64_MAX / 4 ? (int64_t)ms : -1;
}

/* Once a second, and whenever something else is wanted. */
static int is_time_to_prune(const struct store *store, const struct dray_reserve *want)
{
    const struct kept *kept = &store->kept;
    int64_t since = store->host->mono_ms(store->host) - kept->pruned_ms;
    return since < 0 || since >= PRUNE_MS || kept->done_ms != want->keep_done_ms ||
           kept->dead_ms != want->keep_dead_ms || kept->most != want->keep_max;
}

static int32_t prune(struct store *store, struct dray_call *call, const struct dray_reserve *want)
{
    PGresult *rows = NULL;
    begin(store, want);
    args_number(store, span_or_never(want->keep_done_ms));
    args_number(store, span_or_never(want->keep_dead_ms));
    args_number(store, span_or_never(want->keep_max));
    args_number(store, store->dedupe_ms);
    int32_t code = link_ask(store, call, SQL_PRUNE, &rows);
    if (code == DRAY_OK && strtol(PQcmdTuples(rows), NULL, 10) < PRUNE_SLICE)
        store->kept = (struct kept){.pruned_ms = store->host->mono_ms(store->host),
            .done_ms = want->keep_done_ms,
            .dead_ms = want->keep_dead_ms,
            .most = want->keep_max};
    PQclear(rows);
    return code;
}

int32_t part_reserve(struct store *store, struct dray_call *call, const struct dray_reserve *want)
{
    uint32_t room = want->max;
    int32_t code = sweep(store, call, want);
    if (code == DRAY_OK && room && want->flags & DRAY_RESERVE_REPLAY)
        code = replay(store, call, want, &room);
    for (uint32_t i = 0; i < want->nqueues && code == DRAY_OK && room; i++)
        code = take(store, call, want, want->queues[i], &room);
    if (code == DRAY_OK)
        code = look_again(store, call, want, room);
    if (code == DRAY_OK && is_time_to_prune(store, want))
        code = prune(store, call, want);
    return code;
}
