/* SPDX-License-Identifier: Apache-2.0 */
#include "file/compact.h"

#include "common/os.h"
#include "common/table_event.h"
#include "file/journal.h"
#include "file/line.h"
#include "file/rewrite.h"

#define PACE 32
#define LEAST (256 * 1024)     /* bytes copied by a turn, at least; a small part of small files */
#define MOST (4 * 1024 * 1024) /* at most; what is missing is copied by the next ones */

/* Times what lives. */
static int64_t begins_at(int64_t live)
{
    return live / 4 * 7;
}

static int64_t live_bytes(const struct store *store)
{
    struct table_size size;

    table_measure(store->table, &size);
    return line_least(&size);
}

static int64_t allocated_end(const struct store *store)
{
    int64_t ahead = journal_ahead(store), most = store->max_file_size / 4;

    /* A reserve larger than small files are allowed to be comes on top of the bound. */
    return store->journal.end + (ahead < most ? ahead : most);
}

static int is_due(const struct store *store, int64_t live)
{
    int64_t small = store->max_file_size - store->max_file_size / 16;
    int64_t limit = begins_at(live) > small ? begins_at(live) : small;

    return allocated_end(store) > limit && store->journal.end >= store->journal.look_at;
}

/* Has the bound been passed? `other`: bytes of what is being written. */
static int is_over(const struct store *store, int64_t live, int64_t other)
{
    int64_t limit = (other ? 3 : 2) * live + store->max_file_size;

    return allocated_end(store) + other > limit && store->journal.end >= store->journal.look_at;
}

/* Is the disk full, and little enough lives to be written anew where the reserve was? */
static int is_rescue(const struct store *store)
{
    if (!store->journal.full || store->journal.end < store->journal.look_at)
        return 0;
    int64_t live = live_bytes(store);
    return store->journal.end > 2 * live && journal_fits_reserve(store, live + live / 4);
}

/* The old file is as good as before. */
static int32_t forgive(struct store *store, struct dray_call *call, int32_t code)
{
    if (code == DRAY_OK || code == DRAY_POISONED)
        return code;
    store->host->log(store->host, DRAY_LOG_WARN, "%s", call->error->text);
    return DRAY_OK;
}

/* Written anew in the room that was kept behind the end. Should that fail, it is kept again. */
static int32_t rescue(struct store *store, struct dray_call *call)
{
    if (!journal_give_reserve(store))
        return DRAY_OK;
    int32_t code = rewrite(store, call);
    if (code != DRAY_OK)
        journal_keep_reserve(store);
    return forgive(store, call, code);
}

/* All of it now. What has been begun may hold much that lives no more: then not that. */
static void at_once(struct store *store, struct dray_call *call, int64_t live)
{
    int32_t code = rewrite_is_under_way(store) && rewrite_size(store) <= live + live / 2
                       ? rewrite_step(store, call, INT64_MAX)
                       : rewrite(store, call);

    /* Should it not have helped, the next time is when it has grown. */
    if (code == DRAY_OK && is_over(store, live, 0))
        store->journal.look_at = store->journal.end + store->journal.end / 4;
    forgive(store, call, code);
}

/* Bytes of a PATH.new that another process makes, or made: it is left alone as long as it grows
   while the file does. 0: there is none, or nobody goes on with it. */
static int64_t size_of_other(struct store *store, int64_t live)
{
    struct compact *compact = &store->compact;
    struct stat st;

    if (os->lstat(store_beside(store, ".new"), &st) != 0)
        return 0;
    if (compact->new_ino != (uint64_t)st.st_ino || compact->new_size != st.st_size ||
        compact->seen_end > store->journal.end) {
        compact->new_ino = (uint64_t)st.st_ino;
        compact->new_size = st.st_size;
        compact->seen_end = store->journal.end;
    }
    int64_t patience = (store->max_file_size + live) / 64;
    return store->journal.end - compact->seen_end < patience ? st.st_size + 1 : 0;
}

static int32_t begin(struct store *store, struct dray_call *call, int64_t live)
{
    int64_t other = size_of_other(store, live);

    if (other && !is_over(store, live, other))
        return DRAY_OK;
    int32_t code = rewrite_begin(store, call);
    store->compact.end = store->journal.end;
    store->compact.live = live;
    store->compact.debt = 0;
    return forgive(store, call, code);
}

/* What the last turns have appended and set free has to be copied many times over. */
static int64_t bytes_of_turn(struct store *store, int64_t live)
{
    struct compact *compact = &store->compact;
    int64_t freed = compact->live > live ? compact->live - live : 0;
    int64_t least = store->max_file_size / 64 < LEAST ? store->max_file_size / 64 : LEAST;

    compact->debt += PACE * (store->journal.end - compact->end + freed);
    compact->end = store->journal.end;
    compact->live = live;
    int64_t bytes = compact->debt < MOST ? compact->debt : MOST;
    compact->debt -= bytes;
    return bytes > least ? bytes : least;
}

int32_t compact_begin_turn(struct store *store, struct dray_call *call)
{
    int64_t live;

    if (store->journal.damage.header)
        return forgive(store, call, rewrite(store, call));
    if (is_rescue(store))
        return rescue(store, call);
    if (rewrite_is_under_way(store) && rewrite_is_lost(store))
        rewrite_abandon(store);
    if (!rewrite_is_under_way(store)) {
        if (!is_due(store, 0))
            return DRAY_OK;
        live = live_bytes(store);
        int32_t code = is_due(store, live) ? begin(store, call, live) : DRAY_OK;
        if (code != DRAY_OK || !rewrite_is_under_way(store))
            return code;
    }
    live = live_bytes(store);
    return forgive(store, call, rewrite_step(store, call, bytes_of_turn(store, live)));
}

void compact_end_turn(struct store *store, struct dray_call *call)
{
    int64_t other = rewrite_is_under_way(store) ? rewrite_size(store) : 0;

    if (!is_over(store, 0, other))
        return;
    int64_t live = live_bytes(store);
    if (!is_over(store, live, other))
        return;
    /* The turn has succeeded, whatever comes of this; a store that it has poisoned says so to the
       next one. */
    struct dray_error answer = *call->error;
    at_once(store, call, live);
    *call->error = answer;
}
