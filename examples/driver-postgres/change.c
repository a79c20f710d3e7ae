/* SPDX-License-Identifier: CC0-1.0 */
#include "people.h"
#include "store.h"

static void begin(struct store *store, const struct dray_change *change, struct dray_str id)
{
    args_begin(store);
    args_text(store, change->queue);
    args_text(store, id);
}

/* Why a change found no job to its liking: by the state that it is in. */
static int32_t explain(struct store *store, struct dray_call *call,
    const struct dray_change *change, struct dray_str id, int32_t *answer)
{
    PGresult *rows = NULL;
    begin(store, change, id);
    int32_t code = link_ask(store, call, SQL_STATE, &rows);
    int64_t state = code == DRAY_OK && PQntuples(rows) ? link_number(rows, 0, 0) : 0;
    int kick = change->what == DRAY_CHANGE_KICK;
    PQclear(rows);
    *answer = !state                              ? DRAY_NOTFOUND
              : kick && state == DRAY_STATE_READY ? DRAY_OK
              : kick && state == DRAY_STATE_DEAD  ? DRAY_DUPLICATE
                                                  : DRAY_CONFLICT;
    return code;
}

static int32_t change_job(struct store *store, struct dray_call *call,
    const struct dray_change *change, struct dray_str id, int32_t *answer)
{
    PGresult *rows = NULL;
    enum sql which = change->what == DRAY_CHANGE_KICK     ? SQL_KICK
                     : change->what == DRAY_CHANGE_CANCEL ? SQL_CANCEL
                                                          : SQL_REMOVE;
    begin(store, change, id);
    if (which == SQL_REMOVE)
        args_number(store, change->flags & DRAY_CHANGE_FORCE);
    int32_t code = link_ask(store, call, which, &rows);
    if (code == DRAY_OK && !PQntuples(rows))
        code = explain(store, call, change, id, answer);
    else if (code == DRAY_OK && which == SQL_KICK)
        tally_ring(store, change->queue);
    else if (code == DRAY_OK && which == SQL_CANCEL && link_number(rows, 0, 0) == DRAY_STATE_DEAD)
        tally_add(store, change->queue, link_text(rows, 0, 1), TALLY_DIED, 1);
    PQclear(rows);
    return code;
}

static int32_t change_queue(
    struct store *store, struct dray_call *call, const struct dray_change *change)
{
    PGresult *rows = NULL;
    int reset = change->what == DRAY_CHANGE_RESET;
    args_begin(store);
    args_text(store, change->queue);
    if (!reset)
        args_number(store, change->what == DRAY_CHANGE_PAUSE);
    int32_t code = link_ask(store, call, reset ? SQL_RESET : SQL_PAUSE, &rows);
    if (change->what == DRAY_CHANGE_RESUME)
        tally_ring(store, change->queue);
    PQclear(rows);
    return code;
}

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct store *store = self;
    store_enter(store, call);
    tally_begin(store);
    int32_t code = link_begin(store, call, 1);
    if (code == DRAY_OK && change->what >= DRAY_CHANGE_PAUSE)
        code = change_queue(store, call, change);
    for (uint32_t i = 0; i < change->nids && code == DRAY_OK; i++)
        code = change_job(store, call, change, change->ids[i], &change->answers[i]);
    if (code == DRAY_OK)
        code = tally_write(store, call);
    code = link_end(store, call, code);
    store_leave(store);
    return code;
}
