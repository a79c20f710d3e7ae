/* SPDX-License-Identifier: Apache-2.0 */
#include "file/journal.h"

#include "common/os.h"
#include "file/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RESERVE                                                                                    \
    (256 * 1024)  /* bytes for outcomes and leases on a full disk: some thousand of them */
#define LEASE 512 /* bytes of a lease or renewal and what goes with it, more than they take */
#define AHEAD (1024 * 1024) /* allocated at a time, at most */

void journal_adopt(struct journal *journal, int fd, const struct stat *st)
{
    *journal = (struct journal){.fd = fd, .dev = (uint64_t)st->st_dev, .ino = (uint64_t)st->st_ino};
}

void journal_close(struct journal *journal)
{
    if (journal->fd >= 0)
        os->close(journal->fd);
    journal->fd = -1;
}

int journal_read_header(struct store *store, int fd, struct header *header)
{
    char text[HEADER_LEN];

    if (os->pread(fd, text, sizeof(text), 0) != (ssize_t)sizeof(text) ||
        text[HEADER_LEN - 1] != '\n')
        return 0;
    return header_read(header, text, HEADER_LEN - 1, &store->scratch, store->host);
}

int journal_write(int fd, const char *data, size_t len, int64_t at)
{
    while (len) {
        ssize_t n = os->pwrite(fd, data, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            return -1;
        }
        data += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_data(int fd)
{
    int failed;

    do
        failed = os->fdatasync(fd);
    while (failed && errno == EINTR);
    return failed;
}

void journal_poison(struct store *store)
{
    store->poisoned = 1;
    if (!store->journal.id || !lock_set_mark(&store->lock, store->journal.id))
        store->host->log(store->host, DRAY_LOG_ERROR,
            "%s: a write failed, and other programs cannot be told; open it again in all of them",
            store->path);
}

int32_t journal_mend_tail(struct store *store, struct dray_call *call, int unbroken)
{
    struct journal *journal = &store->journal;
    struct stat st;

    if (os->fstat(journal->fd, &st) != 0)
        goto failed;
    if (st.st_size == journal->end && !unbroken)
        return DRAY_OK;
    if (st.st_size > journal->end) {
        store->host->log(store->host, DRAY_LOG_WARN,
            "%s: %lld bytes at the end were being written when their writer stopped; cut off",
            store->path, (long long)(st.st_size - journal->end));
        if (os->ftruncate(journal->fd, journal->end) != 0)
            goto failed;
    }
    if (unbroken && journal_write(journal->fd, "\n", 1, journal->end - 1) != 0)
        goto failed;
    /* Whatever the durability: the next append may not meet what was cut off. */
    if (sync_data(journal->fd) != 0)
        goto failed;
    journal->synced = journal->end;
    journal->room = 0;
    return DRAY_OK;
failed:;
    int sys = errno;
    table_free(store->table);
    store->table = NULL;
    return store->host->fail(call, DRAY_IO, sys,
        "%s: what an interrupted write left at its end cannot be cut off (%s); check the disk",
        store->path, strerror(sys));
}

static int is_full(int sys)
{
    return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

/* 0, or an errno. */
static int allocate(struct journal *journal, int64_t to)
{
    int sys = 0;

    do
        sys = os->fallocate(journal->fd, FALLOC_FL_KEEP_SIZE, journal->end, to - journal->end) == 0
                  ? 0
                  : errno;
    while (sys == EINTR);
    if (!sys)
        journal->room = to;
    return sys;
}

/* Small files get little at a time. */
static int64_t step_ahead(const struct store *store)
{
    return store->max_file_size / 8 < AHEAD ? store->max_file_size / 8 : AHEAD;
}

int64_t journal_ahead(const struct store *store)
{
    return RESERVE + step_ahead(store);
}

/* 0 if there is room up to `need`, or the errno that says there is none. */
static int find_room(struct store *store, int64_t need)
{
    struct journal *journal = &store->journal;

    if (journal->no_room || need <= journal->room)
        return 0;
    int sys = allocate(journal, need + step_ahead(store));
    journal->full = is_full(sys);
    if (is_full(sys))
        sys = allocate(journal, need);
    /* Old files are a luxury. */
    while (is_full(sys) && sys != EFBIG && backup_drop_oldest(store))
        sys = allocate(journal, need);
    if (is_full(sys))
        return sys;
    /* Where nothing can be allocated ahead, a full disk shows when it is written to. */
    journal->no_room = sys == EOPNOTSUPP || sys == ENOSYS || sys == EINVAL || sys == ENODEV;
    return 0;
}

/* The end of the room that outcomes need of what is handed out, and of `more` jobs. */
static int64_t end_of_outcomes(const struct store *store, uint64_t more)
{
    return store->journal.end + (int64_t)(table_active(store->table) + more) * JOURNAL_OUTCOME;
}

int32_t journal_make_room(struct store *store, struct dray_call *call, uint64_t bytes)
{
    if (bytes > INT64_MAX / 4)
        return store->host->fail(call, DRAY_LIMIT, 0, "%s: jobs of %llu bytes at once; split them",
            store->path, (unsigned long long)bytes);
    int sys = find_room(store, end_of_outcomes(store, 0) + (int64_t)bytes + RESERVE);
    if (!sys)
        return DRAY_OK;
    return store->host->fail(call, DRAY_FULL, sys,
        "%s: no room for more jobs (%s), what there is can still be worked off; make room",
        store->path, strerror(sys));
}

uint32_t journal_room_to_lease(struct store *store, struct dray_call *call, uint32_t max)
{
    int sys = 0;

    for (; max; max /= 2) {
        sys = find_room(store, end_of_outcomes(store, max) + (int64_t)max * LEASE + RESERVE / 2);
        if (!sys)
            return max;
    }
    store->host->fail(call, DRAY_FULL, sys,
        "%s: no room to hand out more jobs (%s), only outcomes are still written; make room",
        store->path, strerror(sys));
    return 0;
}

int32_t journal_room_to_extend(struct store *store, struct dray_call *call, uint32_t n)
{
    int sys = n ? find_room(store, end_of_outcomes(store, 0) + (int64_t)n * LEASE) : 0;

    if (!sys)
        return DRAY_OK;
    return store->host->fail(call, DRAY_FULL, sys,
        "%s: no room to renew leases (%s), only outcomes are still written; make room", store->path,
        strerror(sys));
}

void journal_keep_reserve(struct store *store)
{
    find_room(store, end_of_outcomes(store, 0) + RESERVE);
}

int journal_fits_reserve(const struct store *store, int64_t bytes)
{
    int64_t room = store->journal.room - store->journal.end;

    room = room > 0 ? room : RESERVE;
    return store->journal.full && bytes < room - room / 8;
}

int journal_give_reserve(struct store *store)
{
    store->journal.room = 0;
    return os->ftruncate(store->journal.fd, store->journal.end) == 0;
}

/* A write failed part of the way. Certain of the old state, or of nothing. */
static int32_t undo(struct store *store, struct dray_call *call, int sys)
{
    struct journal *journal = &store->journal;
    struct stat st;

    journal->room = 0;
    if (os->ftruncate(journal->fd, journal->end) == 0 && os->fstat(journal->fd, &st) == 0 &&
        st.st_size == journal->end)
        return store->host->fail(call, is_full(sys) ? DRAY_FULL : DRAY_IO, sys,
            "%s: cannot be written (%s), nothing was done; %s", store->path, strerror(sys),
            is_full(sys) ? "make room" : "check the disk");
    journal_poison(store);
    return store->host->fail(call, DRAY_UNKNOWN, sys,
        "%s: a write failed (%s) and cannot be taken back, it may or may not have been done; check "
        "the disk and open the queue again",
        store->path, strerror(sys));
}

static int32_t sync_or_poison(struct store *store, struct dray_call *call)
{
    struct journal *journal = &store->journal;

    if (journal->synced >= journal->end)
        return DRAY_OK;
    if (sync_data(journal->fd) == 0) {
        journal->synced = journal->end;
        return DRAY_OK;
    }
    int sys = errno;
    journal_poison(store);
    return store->host->fail(call, DRAY_UNKNOWN, sys,
        "%s: fdatasync failed (%s), it may or may not have been done; check the disk and open the "
        "queue again",
        store->path, strerror(sys));
}

int32_t journal_append(struct store *store, struct dray_call *call, int sync)
{
    struct journal *journal = &store->journal;
    struct batch *batch = &store->batch;

    if (batch->text.len) {
        line_seal(batch->text.data + batch->line, batch->text.len - batch->line - 1, 0);
        /* Outcomes and leases may use the reserve: no matter if there is no more to be had. */
        find_room(store, journal->end + (int64_t)batch->text.len);
        if (journal_write(journal->fd, batch->text.data, batch->text.len, journal->end) != 0)
            return undo(store, call, errno);
        journal->end += (int64_t)batch->text.len;
        journal->seq = batch->seq;
    }
    return sync ? sync_or_poison(store, call) : DRAY_OK;
}
