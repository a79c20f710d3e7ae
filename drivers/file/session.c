/* SPDX-License-Identifier: Apache-2.0 */
#include "file/session.h"

#include "common/gate.h"
#include "common/table_event.h"
#include "file/compact.h"
#include "file/journal.h"
#include "file/load.h"
#include "file/rewrite.h"

#include <errno.h>
#include <string.h>

#define BATCH_KEEP ((size_t)1 << 20) /* bytes of memory kept from turn to turn */

static int makes_work(const struct table_event *event)
{
    return event->kind == TABLE_QUEUE || event->job.state == DRAY_STATE_READY ||
           event->job.state == DRAY_STATE_DELAYED;
}

/* One event more in the turn under way. */
static void tell(void *arg, const struct table_event *event)
{
    struct store *store = arg;
    struct batch *batch = &store->batch;
    size_t begin = batch->text.len;

    if (batch->failed)
        return;
    if (begin)
        line_seal(batch->text.data + batch->line, begin - batch->line - 1, 1);
    if (!line_write(&batch->text, store->host, batch->seq + 1, batch->first, store->boot, event)) {
        batch->failed = 1;
        return;
    }
    batch->line = begin;
    batch->seq++;
    batch->rings |= makes_work(event);
}

int32_t session_lock(struct store *store, struct dray_call *call)
{
    int sys = 0;

    store->deadline_ms = gate_clock_ms() + call->budget_ms;
    xfsz_block(&store->xfsz);
    int32_t code = lock_take(&store->lock, store->deadline_ms, &sys);
    if (code == DRAY_OK)
        return code;
    xfsz_restore(&store->xfsz);
    if (code == DRAY_BUSY)
        return store->host->fail(call, code, 0,
            "%s: other workers held the lock for %u ms; try again", store->lock_path,
            call->budget_ms);
    return store->host->fail(call, code, sys, "%s: cannot be locked (%s); check the file",
        store->lock_path, sys ? strerror(sys) : "not a regular file");
}

void session_unlock(struct store *store)
{
    lock_give(&store->lock);
    xfsz_restore(&store->xfsz);
}

/* A file whose last sync failed may be in memory alone: what lives is written anew before anybody
   relies on it. */
static int32_t heed_mark(struct store *store, struct dray_call *call)
{
    if (!store->journal.id || lock_mark(&store->lock) != store->journal.id)
        return DRAY_OK;
    store->host->log(store->host, DRAY_LOG_WARN,
        "%s: an earlier write to it failed; what lives is written anew", store->path);
    return rewrite(store, call);
}

static int32_t catch_up(struct store *store, struct dray_call *call, int how)
{
    int32_t code = load_rest(store, call);

    if (code == DRAY_OK)
        code = heed_mark(store, call);
    if (code == DRAY_OK && how == SESSION_WRITE)
        code = compact_begin_turn(store, call);
    return code;
}

int32_t session_begin(struct store *store, struct dray_call *call, int how)
{
    if (store->poisoned)
        return store->host->fail(call, DRAY_POISONED, 0,
            "%s: an earlier write failed; nothing more is changed until it is opened again",
            store->path);
    int32_t code = session_lock(store, call);
    if (code != DRAY_OK)
        return code;
    code = catch_up(store, call, how);
    if (code != DRAY_OK) {
        session_unlock(store);
        return code;
    }
    int64_t wall_ms = store->host->wall_ms(store->host);
    store->now = (struct table_now){store->host->mono_ms(store->host), wall_ms, wall_ms};
    store->batch.text.len = 0;
    store->batch.first = store->journal.seq + 1;
    store->batch.seq = store->journal.seq;
    store->batch.failed = store->batch.rings = 0;
    store->nrefs = 0;
    table_listen(store->table, tell, store);
    return DRAY_OK;
}

int32_t session_end(struct store *store, struct dray_call *call, int32_t code, int sync)
{
    struct batch *batch = &store->batch;

    if (code == DRAY_OK && batch->failed)
        code = store->host->fail(
            call, DRAY_NOMEM, ENOMEM, "%s: no memory to write that down; try again", store->path);
    if (code == DRAY_OK)
        code = journal_append(store, call, sync && store->durability >= DRAY_DURABILITY_HOST);
    /* What the table has and the file has not must go. */
    if (code != DRAY_OK && (batch->text.len || batch->failed))
        load_forget(store);
    if (code == DRAY_OK && batch->rings)
        lock_ring(&store->lock);
    if (code == DRAY_OK && batch->text.len)
        compact_end_turn(store, call);
    buffer_reset(&batch->text, store->host, BATCH_KEEP);
    session_unlock(store);
    return code;
}
