/* SPDX-License-Identifier: Apache-2.0 */
#include "file/backup.h"

#include "common/os.h"
#include "common/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *store_beside(struct store *store, const char *suffix)
{
    snprintf(store->aside, strlen(store->path) + PLACE_SUFFIX_MAX, "%s%s", store->path, suffix);
    return store->aside;
}

static const char *numbered(struct store *store, uint32_t number)
{
    char suffix[PLACE_SUFFIX_MAX];

    snprintf(suffix, sizeof(suffix), ".%u", number);
    return store_beside(store, suffix);
}

static void complain(struct store *store, const char *path)
{
    store->host->log(store->host, DRAY_LOG_WARN, "%s: not kept (%s)", path, strerror(errno));
}

static void keep_damaged(struct store *store)
{
    const char *path = store_beside(store, ".damaged");

    if ((os->unlink(path) != 0 && errno != ENOENT) || os->link(store->path, path) != 0)
        complain(store, path);
}

/* Each moves up by one; what falls off the end is gone. */
static void shift(struct store *store)
{
    char from[4096];

    os->unlink(numbered(store, store->max_backups + 1)); /* one, if fewer are kept than before */
    for (uint32_t number = store->max_backups; number > 1; number--) {
        int n = snprintf(from, sizeof(from), "%s.%u", store->path, number - 1);
        if (n > 0 && (size_t)n < sizeof(from))
            os->rename(from, numbered(store, number));
    }
}

void backup_keep(struct store *store)
{
    const struct journal *journal = &store->journal;

    if (journal->damage.records || journal->damage.header)
        keep_damaged(store);
    if (!store->max_backups || journal->end > store->max_file_size)
        return;
    shift(store);
    const char *path = numbered(store, 1);
    if ((os->unlink(path) != 0 && errno != ENOENT) || os->link(store->path, path) != 0)
        complain(store, path);
}

int backup_drop_oldest(struct store *store)
{
    for (uint32_t number = store->max_backups; number; number--) {
        if (os->unlink(numbered(store, number)) == 0) {
            store->host->log(store->host, DRAY_LOG_WARN,
                "%s: the disk is full, an old copy was deleted", store->aside);
            return 1;
        }
    }
    return 0;
}
