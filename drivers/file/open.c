/* SPDX-License-Identifier: Apache-2.0 */
#include "file/open.h"

#include "common/os.h"
#include "common/place.h"
#include "file/journal.h"
#include "file/line.h"
#include "file/load.h"
#include "file/retire.h"
#include "file/rewrite.h"
#include "file/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PEEK 4096
#define PEEK_MOST (256 * 1024) /* longer damage at the beginning needs a person */

static int32_t choose_durability(struct store *store, struct dray_call *call)
{
    uint32_t wanted = call->durability ? call->durability : DRAY_DURABILITY_HOST;

    if (wanted != DRAY_DURABILITY_PROCESS && wanted != DRAY_DURABILITY_HOST)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "durability: file gives `host` or `process`; choose one of them");
    store->durability = call->durability = wanted;
    return DRAY_OK;
}

static int looks_ours(const char *text, size_t len)
{
    return memmem(text, len, LINE_START, LINE_START_LEN) ||
           memmem(text, len, "\"dray\":\"jobs\"", 13);
}

/* What is plainly not ours is left alone before a lock file is laid beside it; what looks like
   ours, though its beginning may be damaged, is read with care later. */
static int32_t peek(struct store *store, struct dray_call *call)
{
    char text[PEEK];
    ssize_t n = 0;
    off_t at = 0;
    int ours = 0;
    int fd = os->open(store->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return DRAY_OK; /* missing, or explained by who needs it */
    for (; !ours && at < PEEK_MOST; at += PEEK / 2) {
        n = os->pread(fd, text, sizeof(text), at);
        if (n <= 0)
            break;
        ours = looks_ours(text, (size_t)n);
    }
    os->close(fd);
    if (ours || n < 0 || (n == 0 && at == 0))
        return DRAY_OK;
    return store->host->fail(call, DRAY_CONFIG, 0,
        "%s: the file of another program; give the queue a file of its own", store->path);
}

static int32_t open_lock(struct store *store, struct dray_call *call)
{
    int sys = 0;
    int32_t code = lock_open(&store->lock, store->lock_path, &sys);

    if (code == DRAY_OK)
        return code;
    return store->host->fail(call, code, sys,
        "%s: cannot be the lock file (%s); let this user write it, or remove what is there",
        store->lock_path, sys ? strerror(sys) : "not a regular file");
}

/* There is no file yet: an empty one is written as any other. */
static int32_t create(struct store *store, struct dray_call *call)
{
    store->table = table_new(store->host, "file", UINT64_MAX / 2);
    if (!store->table)
        return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    table_weigh(store->table, line_extra);
    store->generation++;
    return rewrite(store, call);
}

static int32_t open_locked(struct store *store, struct dray_call *call)
{
    int32_t code = load_all(store, call);

    if (code == DRAY_NOTFOUND)
        return create(store, call);
    if (code != DRAY_OK || !store->journal.id || lock_mark(&store->lock) != store->journal.id)
        return code;
    /* Its last write failed: see session.c. */
    return rewrite(store, call);
}

static int32_t set_paths(struct store *store, struct dray_call *call)
{
    const struct dray_host *host = store->host;
    store->lock_path = place_beside(host, store->path, ".lock");
    store->aside = host->resize(host, NULL, strlen(store->path) + PLACE_SUFFIX_MAX);
    if (store->lock_path && store->aside)
        return DRAY_OK;
    return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
}

int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct store *store = self;
    int missing = 0;

    store->host = host;
    store->lock.fd = store->journal.fd = store->rewrite.fd = -1;
    store->boot = line_boot(host->boot_id);
    store->max_file_size = host->number(host, "max_file_size");
    store->max_backups = (uint32_t)host->number(host, "max_backups");
    const char *path = host->text(host, "path", 0);
    if (!path || path[0] != '/')
        return host->fail(call, DRAY_CONFIG, 0, "path: not given; name the queue file");
    int32_t code = choose_durability(store, call);
    if (code == DRAY_OK)
        code = place_prepare(host, call, path, host->number(host, "network") != 0, &store->path);
    if (code == DRAY_OK)
        code = place_check(host, call, store->path, "queue file", &missing);
    if (code == DRAY_OK)
        code = set_paths(store, call);
    if (code == DRAY_OK)
        code = peek(store, call);
    if (code == DRAY_OK)
        code = open_lock(store, call);
    if (code == DRAY_OK)
        code = session_lock(store, call);
    if (code != DRAY_OK)
        return code;
    code = open_locked(store, call);
    session_unlock(store);
    return code;
}

void store_close(void *self)
{
    struct store *store = self;
    const struct dray_host *host = store->host;

    if (!host)
        return;
    load_forget(store);
    if (store->lock.fd >= 0)
        lock_close(&store->lock);
    journal_close(&store->journal);
    retire_wait(store);
    bell_close(&store->bell);
    buffer_reset(&store->batch.text, host, 0);
    buffer_reset(&store->input, host, 0);
    buffer_reset(&store->scratch, host, 0);
    host->resize(host, store->refs, 0);
    host->resize(host, store->path, 0);
    host->resize(host, store->aside, 0);
    host->resize(host, store->lock_path, 0);
    memset(store, 0, sizeof(*store));
}
