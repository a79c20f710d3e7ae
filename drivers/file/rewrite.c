/* SPDX-License-Identifier: Apache-2.0 */
#include "file/rewrite.h"

#include "common/os.h"
#include "common/place.h"
#include "common/table_event.h"
#include "file/backup.h"
#include "file/journal.h"
#include "file/retire.h"
#include "file/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FLUSH ((size_t)1 << 20)
#define SYNC_EACH (1 << 20) /* so that no sync at the end has much to do */
#define STEP_COST 16        /* bytes of copying that looking at a job is worth */

static void sync_new(struct rewrite *rewrite)
{
    int failed;

    do
        failed = os->fdatasync(rewrite->fd);
    while (failed && errno == EINTR);
    if (failed)
        rewrite->sys = errno;
    else
        rewrite->synced = rewrite->at;
}

static void flush(struct rewrite *rewrite)
{
    struct buffer *text = &rewrite->text;

    if (rewrite->sys || !text->len)
        return;
    if (journal_write(rewrite->fd, text->data, text->len, rewrite->at) != 0) {
        rewrite->sys = errno;
        return;
    }
    rewrite->at += (int64_t)text->len;
    text->len = 0;
    if (rewrite->at - rewrite->synced >= SYNC_EACH)
        sync_new(rewrite);
}

static void add(
    struct store *store, const struct table_event *event, uint64_t turn, uint32_t boot, int more)
{
    struct rewrite *rewrite = &store->rewrite;
    struct buffer *text = &rewrite->text;
    size_t begin = text->len;

    if (rewrite->sys)
        return;
    if (!line_write(text, store->host, rewrite->seq + 1, turn, boot, event)) {
        rewrite->sys = ENOMEM;
        return;
    }
    rewrite->seq++;
    rewrite->turn = turn;
    line_seal(text->data + begin, text->len - begin - 1, more);
    if (text->len >= FLUSH)
        flush(rewrite);
}

/* From the table; at any time while the copy is under way. */
static void add_event(void *arg, const struct table_event *event)
{
    struct store *store = arg;

    add(store, event, store->rewrite.seq + 1, store->boot, 0);
}

/* A record that was appended since, as it is but for its numbers. */
static int32_t add_piece(struct store *store, const struct piece *piece)
{
    struct rewrite *rewrite = &store->rewrite;
    struct line line;

    if (!piece->whole)
        return DRAY_IO;
    int32_t code = line_read(&line, piece->text, piece->len, &store->scratch, store->host);
    if (code != DRAY_OK)
        return code;
    uint64_t turn = line.turn == line.seq ? rewrite->seq + 1 : rewrite->turn;
    add(store, &line.event, turn, (uint32_t)line.boot, line.more != 0);
    return DRAY_OK;
}

int64_t rewrite_size(const struct store *store)
{
    return store->rewrite.at + (int64_t)store->rewrite.text.len;
}

static void copy_appended(struct store *store, int64_t until)
{
    struct rewrite *rewrite = &store->rewrite;
    struct scan scan;
    struct piece piece;
    int32_t code = DRAY_OK;

    scan_begin(
        &scan, store->host, &store->input, store->journal.fd, rewrite->read, store->journal.end);
    while (code == DRAY_OK && !rewrite->sys && rewrite_size(store) < until) {
        code = scan_next(&scan, &piece);
        if (code == DRAY_OK)
            code = add_piece(store, &piece);
        if (code == DRAY_OK)
            rewrite->read = scan.at;
    }
    if (code == DRAY_NOMEM)
        rewrite->sys = ENOMEM;
    else if (code != DRAY_OK && code != DRAY_EMPTY)
        rewrite->sys = scan.sys ? scan.sys : EIO;
}

static int sync_all(int fd)
{
    int failed;

    do
        failed = os->fsync(fd);
    while (failed && errno == EINTR);
    return failed;
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
static void adopt(struct store *store, const struct stat *st, const struct header *header)
{
    struct journal *journal = &store->journal;

    if (journal->fd >= 0) {
        /* What was allocated ahead, should a copy be kept. */
        if (os->ftruncate(journal->fd, journal->end) != 0)
            store->host->log(
                store->host, DRAY_LOG_DEBUG, "%s: old copy keeps its room", store->path);
        retire_file(store, journal->fd);
    }
    journal_adopt(journal, store->rewrite.fd, st);
    journal->id = header->file;
    journal->end = journal->synced = journal->copied = (int64_t)header->end;
    journal->seq = header->records;
}

static void forget(struct store *store)
{
    struct rewrite *rewrite = &store->rewrite;

    if (store->table)
        table_copy_end(store->table);
    buffer_reset(&rewrite->text, store->host, 0);
    *rewrite = (struct rewrite){.fd = -1};
}

int rewrite_is_lost(struct store *store)
{
    struct stat st;

    if (os->lstat(store_beside(store, ".new"), &st) != 0)
        return errno == ENOENT;
    return (uint64_t)st.st_ino != store->rewrite.ino;
}

void rewrite_abandon(struct store *store)
{
    if (!rewrite_is_under_way(store))
        return;
    if (!rewrite_is_lost(store))
        os->unlink(store_beside(store, ".new"));
    os->close(store->rewrite.fd);
    forget(store);
}

int rewrite_is_under_way(const struct store *store)
{
    return store->rewrite.fd >= 0;
}

static int32_t give_up(struct store *store, struct dray_call *call, int sys)
{
    rewrite_abandon(store);
    store->journal.look_at = store->journal.end + store->journal.end / 8 + 65536;
    return fail_write(store, call, sys);
}

/* 0, or an errno. */
static int open_new(struct store *store)
{
    struct rewrite *rewrite = &store->rewrite;
    const char *path = store_beside(store, ".new");
    struct stat st;

    if (os->unlink(path) != 0 && errno != ENOENT)
        return errno;
    while (!rewrite->id) {
        if (store->host->random(store->host, &rewrite->id, sizeof(rewrite->id)) != DRAY_OK)
            return EIO;
    }
    int fd = os->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    if (os->fstat(fd, &st) != 0) {
        int sys = errno;
        os->close(fd);
        os->unlink(path);
        return sys;
    }
    rewrite->fd = fd;
    rewrite->ino = (uint64_t)st.st_ino;
    return 0;
}

int32_t rewrite_begin(struct store *store, struct dray_call *call)
{
    struct rewrite *rewrite = &store->rewrite;

    rewrite_abandon(store);
    *rewrite = (struct rewrite){.fd = -1, .at = HEADER_LEN, .read = store->journal.end};
    int sys = open_new(store);
    if (!sys && table_copy_begin(store->table, add_event, store) != DRAY_OK)
        sys = ENOMEM;
    return sys ? give_up(store, call, sys) : DRAY_OK;
}

/* Header and the last bytes, safe on the disk. 0, or an errno. */
static int complete(struct store *store, struct header *header, struct stat *st)
{
    struct rewrite *rewrite = &store->rewrite;
    char first[HEADER_LEN];

    *header = (struct header){.file = rewrite->id,
        .after = store->journal.fd >= 0 ? store->journal.id : 0,
        .end = (uint64_t)rewrite->at,
        .records = rewrite->seq};
    header_write(first, header);
    if (journal_write(rewrite->fd, first, sizeof(first), 0) != 0 || sync_all(rewrite->fd) != 0 ||
        os->fstat(rewrite->fd, st) != 0)
        return errno;
    return 0;
}

static int32_t finish(struct store *store, struct dray_call *call)
{
    struct header header;
    struct stat st;

    int sys = complete(store, &header, &st);
    if (sys)
        return give_up(store, call, sys);
    if (store->journal.fd >= 0)
        backup_keep(store);
    if (os->rename(store_beside(store, ".new"), store->path) != 0)
        return give_up(store, call, errno);
    adopt(store, &st, &header);
    forget(store);
    journal_keep_reserve(store);
    if (place_sync_folder(store->path) == 0)
        return DRAY_OK;
    sys = errno;
    journal_poison(store);
    return store->host->fail(call, DRAY_POISONED, sys,
        "%s: written anew, but its name is not safe on the disk (%s); check the disk and open the "
        "queue again",
        store->path, strerror(sys));
}

int32_t rewrite_step(struct store *store, struct dray_call *call, int64_t bytes)
{
    struct rewrite *rewrite = &store->rewrite;
    int64_t size = rewrite_size(store);
    int64_t until = bytes > INT64_MAX - size ? INT64_MAX : size + bytes;

    while (!rewrite->sys && !rewrite->told && rewrite_size(store) < until) {
        rewrite->told = !table_copy_step(store->table);
        until -= STEP_COST;
    }
    if (!rewrite->sys && rewrite->told)
        copy_appended(store, until);
    flush(rewrite);
    if (rewrite->sys)
        return give_up(store, call, rewrite->sys);
    if (!rewrite->told || rewrite->read < store->journal.end)
        return DRAY_OK;
    return finish(store, call);
}

int32_t rewrite(struct store *store, struct dray_call *call)
{
    int32_t code = rewrite_begin(store, call);

    return code == DRAY_OK ? rewrite_step(store, call, INT64_MAX) : code;
}
