/* SPDX-License-Identifier: Apache-2.0 */
#include "file/rewrite.h"

#include "common/table_event.h"
#include "file/backup.h"
#include "file/journal.h"
#include "file/os.h"
#include "file/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FLUSH ((size_t)1 << 20)
#define AROUND 220 /* bytes of a job's line that are no text of the job's, about */

struct copy {
    struct store *store;
    struct buffer *text;
    int fd;
    int64_t at;
    uint64_t seq;
    int sys; /* errno of the first failure */
};

static void flush(struct copy *copy)
{
    if (!copy->sys && journal_write(copy->fd, copy->text->data, copy->text->len, copy->at) != 0)
        copy->sys = errno;
    copy->at += (int64_t)copy->text->len;
    copy->text->len = 0;
}

static void add(void *arg, const struct table_event *event)
{
    struct copy *copy = arg;
    size_t begin = copy->text->len;

    if (copy->sys)
        return;
    copy->seq++;
    if (!line_write(
            copy->text, copy->store->host, copy->seq, copy->seq, copy->store->boot, event)) {
        copy->sys = ENOMEM;
        return;
    }
    line_seal(copy->text->data + begin, copy->text->len - begin - 1, 0);
    if (copy->text->len >= FLUSH)
        flush(copy);
}

static int sync_all(int fd)
{
    int failed;

    do
        failed = os->fsync(fd);
    while (failed && errno == EINTR);
    return failed;
}

/* Header and jobs, safe on the disk. 0, or an errno. */
static int write_all(struct copy *copy, struct header *header)
{
    char first[HEADER_LEN];

    copy->at = HEADER_LEN;
    copy->text->len = 0;
    if (table_dump(copy->store->table, add, copy) == DRAY_NOMEM)
        return ENOMEM;
    flush(copy);
    if (copy->sys)
        return copy->sys;
    header->end = (uint64_t)copy->at;
    header->records = copy->seq;
    header_write(first, header);
    if (journal_write(copy->fd, first, sizeof(first), 0) != 0 || sync_all(copy->fd) != 0)
        return errno;
    return 0;
}

static int32_t fail_write(struct store *store, struct dray_call *call, int sys)
{
    int32_t code = DRAY_IO;

    if (sys == ENOMEM)
        code = DRAY_NOMEM;
    else if (sys == ENOSPC || sys == EDQUOT || sys == EFBIG)
        code = DRAY_FULL;
    else if (sys == EACCES || sys == EPERM || sys == EROFS)
        code = DRAY_DENIED;
    return store->host->fail(call, code, sys,
        "%s: cannot be written anew (%s), nothing was changed; %s", store->path, strerror(sys),
        code == DRAY_FULL     ? "make room"
        : code == DRAY_DENIED ? "let this user write its folder"
                              : "check the disk");
}

/* From here on the new file is the file. */
static void adopt(struct store *store, int fd, const struct stat *st, const struct header *header)
{
    struct journal *journal = &store->journal;

    if (journal->fd >= 0) {
        /* What was allocated ahead, should a copy be kept. */
        if (os->ftruncate(journal->fd, journal->end) != 0)
            store->host->log(
                store->host, DRAY_LOG_DEBUG, "%s: old copy keeps its room", store->path);
        journal_close(journal);
    }
    journal_adopt(journal, fd, st);
    journal->id = header->file;
    journal->end = journal->synced = journal->copied = (int64_t)header->end;
    journal->seq = header->records;
}

static int open_new(struct store *store, struct header *header)
{
    const char *path = store_beside(store, ".new");

    if (os->unlink(path) != 0 && errno != ENOENT)
        return -1;
    while (!header->file) {
        if (store->host->random(store->host, &header->file, sizeof(header->file)) != DRAY_OK) {
            errno = EIO;
            return -1;
        }
    }
    return os->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Leaves no half of a file behind, where that can be helped. */
static int32_t give_up(struct store *store, struct dray_call *call, int fd, int sys)
{
    if (fd >= 0) {
        os->close(fd);
        os->unlink(store_beside(store, ".new"));
    }
    store->journal.look_at = store->journal.end + store->journal.end / 8 + 65536;
    return fail_write(store, call, sys);
}

int32_t rewrite(struct store *store, struct dray_call *call)
{
    struct header header = {.after = store->journal.fd >= 0 ? store->journal.id : 0};
    struct copy copy = {.store = store, .text = &store->input};
    struct stat st;

    copy.fd = open_new(store, &header);
    if (copy.fd < 0)
        return give_up(store, call, -1, errno);
    int sys = write_all(&copy, &header);
    if (!sys && os->fstat(copy.fd, &st) != 0)
        sys = errno;
    if (sys)
        return give_up(store, call, copy.fd, sys);
    if (store->journal.fd >= 0)
        backup_keep(store);
    if (os->rename(store_beside(store, ".new"), store->path) != 0)
        return give_up(store, call, copy.fd, errno);
    adopt(store, copy.fd, &st, &header);
    if (place_sync_folder(store) == 0)
        return DRAY_OK;
    sys = errno;
    journal_poison(store);
    return store->host->fail(call, DRAY_POISONED, sys,
        "%s: written anew, but its name is not safe on the disk (%s); check the disk and open the "
        "queue again",
        store->path, strerror(sys));
}

static int64_t live_bytes(const struct store *store)
{
    uint64_t bytes, jobs = table_count(store->table, &bytes);

    return (int64_t)(bytes + jobs * AROUND);
}

int rewrite_is_rescue(const struct store *store)
{
    int64_t live = live_bytes(store);

    return store->journal.end > 2 * live + HEADER_LEN &&
           store->journal.end >= store->journal.look_at &&
           journal_fits_reserve(store, live + HEADER_LEN);
}

int rewrite_is_due(const struct store *store)
{
    const struct journal *journal = &store->journal;
    int64_t live = live_bytes(store);
    int64_t limit = live > store->max_file_size / 2 ? live * 2 : store->max_file_size;

    /* A little early: a turn later the old file would be too large to keep. */
    if (journal->end <= limit - limit / 16 || journal->end < journal->look_at)
        return 0;
    /* Texts may take much more in JSON than by themselves. Whatever they take: it has grown by half
       since the last time, or most of what it held then is gone. */
    return journal->end > journal->copied + journal->copied / 2 || live < journal->copied / 8;
}
