/* SPDX-License-Identifier: CC0-1.0 */
/* Outcomes and renewals: each names a lease by its token, and SQL compares it. */
#include "store.h"
#include "turn.h"

static void begin(struct store *store, const struct dray_lease *lease)
{
    args_begin(store);
    args_text(store, lease->queue);
    args_text(store, lease->id);
    args_number(store, (int64_t)lease->token.counter);
    args_number(store, (int64_t)lease->token.nonce);
}

static enum sql choose(const struct dray_lease *lease)
{
    switch (lease->verdict) {
    case DRAY_VERDICT_DONE:
        return lease->flags & DRAY_LEASE_KEEP ? SQL_KEEP : SQL_ACK;
    case DRAY_VERDICT_BURY:
        return SQL_BURY;
    default:
        return SQL_RETRY;
    }
}

static void add_outcome(struct store *store, const struct dray_lease *lease, enum sql which)
{
    if (which == SQL_ACK) {
        args_number(store, store->dedupe_ms);
        return;
    }
    args_text(store, lease->error);
    args_text(store, lease->progress);
    if (which == SQL_KEEP) {
        args_text(store, lease->result);
    } else if (which == SQL_BURY) {
        args_number(store, lease->flags & DRAY_LEASE_UNCHARGE ? 1 : 0);
    } else {
        args_span(store, lease->delay_ms);
        args_number(store, lease->verdict);
    }
}

static void count(struct store *store, const struct dray_lease *lease, struct dray_str type)
{
    int done = lease->verdict == DRAY_VERDICT_DONE || lease->verdict == DRAY_VERDICT_REPEAT;
    int bury = lease->verdict == DRAY_VERDICT_BURY, again = lease->verdict == DRAY_VERDICT_AGAIN;
    int failed = again || (bury && !(lease->flags & DRAY_LEASE_UNCHARGE));
    int64_t ms = lease->run_ms < INT32_MAX ? (int64_t)lease->run_ms : INT32_MAX;
    tally_add(store, lease->queue, type, TALLY_COMPLETED, done);
    tally_add(store, lease->queue, type, TALLY_FAILED, failed);
    tally_add(store, lease->queue, type, TALLY_RETRIED, again);
    tally_add(store, lease->queue, type, TALLY_DIED, bury);
    if (done || failed) {
        tally_add(store, lease->queue, type, TALLY_RUNS, 1);
        tally_add(store, lease->queue, type, TALLY_RUN_MS, ms);
    }
}

/* No row was changed: the token is not current, or a cancel has marked the job. */
static int32_t look(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer)
{
    PGresult *rows = NULL;
    begin(store, lease);
    int32_t code = link_ask(store, call, SQL_MARKED, &rows);
    *answer = code == DRAY_OK && PQntuples(rows) ? DRAY_CANCELLED : DRAY_STALE;
    PQclear(rows);
    return code;
}

int32_t part_settle(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer)
{
    PGresult *rows = NULL;
    enum sql which = choose(lease);
    begin(store, lease);
    add_outcome(store, lease, which);
    int32_t code = link_ask(store, call, which, &rows);
    if (code == DRAY_OK && PQntuples(rows)) {
        count(store, lease, link_text(rows, 0, 0));
        if (which == SQL_RETRY)
            tally_ring(store, lease->queue);
    } else if (code == DRAY_OK && which == SQL_RETRY) {
        code = look(store, call, lease, answer);
    } else {
        *answer = DRAY_STALE;
    }
    PQclear(rows);
    return code;
}

int32_t part_extend(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer)
{
    PGresult *rows = NULL;
    begin(store, lease);
    args_span(store, lease->lease_ms);
    args_text(store, lease->progress);
    int32_t code = link_ask(store, call, SQL_EXTEND, &rows);
    if (code == DRAY_OK && !PQntuples(rows))
        *answer = DRAY_STALE;
    else if (code == DRAY_OK && link_number(rows, 0, 0))
        *answer = DRAY_CANCELLED;
    PQclear(rows);
    return code;
}
