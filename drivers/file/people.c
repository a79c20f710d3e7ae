/* SPDX-License-Identifier: Apache-2.0 */
#include "file/people.h"

#include "file/load.h"
#include "file/rewrite.h"
#include "file/session.h"

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct store *store = self;
    int32_t code = session_begin(store, call, SESSION_WRITE);

    if (code != DRAY_OK)
        return code;
    code = table_change(store->table, call, &store->now, change);
    return session_end(store, call, code, 1);
}

/* The table's cursor is good as long as the table is. */
static int32_t list(struct store *store, struct dray_call *call, struct dray_filter *filter)
{
    if (filter->cursor[0] && filter->cursor[1] != store->generation)
        return store->host->fail(call, DRAY_INVALID, 0,
            "%s was read from its beginning meanwhile; list again", store->path);
    int32_t code = table_list(store->table, call, &store->now, filter);
    filter->cursor[1] = filter->cursor[0] ? store->generation : 0;
    return code;
}

int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct store *store = self;
    int32_t code = session_begin(store, call, SESSION_READ);

    if (code != DRAY_OK)
        return code;
    return session_end(store, call, list(store, call, filter), 0);
}

int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    struct store *store = self;
    int32_t code = session_begin(store, call, SESSION_READ);

    if (code != DRAY_OK)
        return code;
    code = table_stats(store->table, call, &store->now, queues, n);
    return session_end(store, call, code, 0);
}

static int32_t tend_file(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    int32_t code = DRAY_OK;

    tend->bytes_before = (uint64_t)store->journal.end;
    if (tend->what != DRAY_TEND_COMPACT)
        code = load_check(store, call, tend);
    if (code == DRAY_OK &&
        (tend->what == DRAY_TEND_COMPACT || (tend->what == DRAY_TEND_REPAIR && tend->damaged))) {
        code = rewrite(store, call);
        tend->repaired = code == DRAY_OK ? tend->damaged : 0;
    }
    tend->bytes_after = (uint64_t)store->journal.end;
    return code;
}

int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend)
{
    struct store *store = self;

    if (tend->what < DRAY_TEND_CHECK || tend->what > DRAY_TEND_COMPACT)
        return store->host->fail(
            call, DRAY_UNSUPPORTED, 0, "the file driver knows no care number %u", tend->what);
    int32_t code = session_begin(store, call, SESSION_READ);
    if (code != DRAY_OK)
        return code;
    return session_end(store, call, tend_file(store, call, tend), 0);
}
