/* SPDX-License-Identifier: Apache-2.0 */
#include "file/load.h"

#include "common/os.h"
#include "file/apply.h"
#include "file/journal.h"
#include "file/retire.h"
#include "file/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void load_forget(struct store *store)
{
    rewrite_abandon(store);
    table_free(store->table);
    store->table = NULL;
}

static int32_t explain(struct store *store, struct dray_call *call, int32_t code, int sys)
{
    if (code == DRAY_NOMEM)
        return store->host->fail(
            call, code, ENOMEM, "%s: no memory for its jobs; try again", store->path);
    if (code == DRAY_IO && !sys)
        return store->host->fail(call, code, 0,
            "%s: became shorter while it was read; let nothing but Dray write to it", store->path);
    return store->host->fail(call, code, sys,
        "%s: cannot be read (%s), nothing was changed; check the disk", store->path, strerror(sys));
}

/* What an instance of another program must not be taken for. */
static int32_t refuse(struct store *store, struct dray_call *call, const struct apply *apply)
{
    const struct header *header = &apply->header;

    if (apply->has_header && header->version > LINE_VERSION)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "%s: written by a newer version of Dray (format %llu, this driver knows up to %d); use "
            "that version",
            store->path, (unsigned long long)header->version, LINE_VERSION);
    if (apply->has_header || apply->records)
        return DRAY_OK;
    if (apply->looks_ours)
        return store->host->fail(call, DRAY_CORRUPT, 0,
            "%s: its first line is damaged and there is no record; restore a backup, or move it "
            "away to start anew",
            store->path);
    return store->host->fail(call, DRAY_CONFIG, 0,
        "%s: the file of another program; give the queue a file of its own", store->path);
}

static void report(struct store *store, const struct damage *before)
{
    const struct damage *damage = &store->journal.damage;

    if (damage->records == before->records)
        return;
    store->host->log(store->host, DRAY_LOG_WARN,
        "%s: %llu damaged or missing records are set aside, the first at byte %lld; `dray "
        "fsck` lists them",
        store->path, (unsigned long long)damage->records, (long long)damage->first);
}

/* Reads [journal.end, limit) into the table. What has to be cut off is known afterwards. */
static int32_t run(struct store *store, struct dray_call *call, struct apply *apply, int64_t limit)
{
    int32_t code = apply_range(apply, store->journal.fd, store->journal.end, limit);

    if (code != DRAY_OK)
        load_forget(store);
    if (code == DRAY_IO || code == DRAY_NOMEM)
        return explain(store, call, code, apply->sys);
    return code;
}

static void accept(struct store *store, const struct apply *apply)
{
    store->journal.end = apply->end;
    store->journal.seq = apply->seq;
    store->journal.damage = apply->damage;
    if (apply->has_header) {
        store->journal.id = apply->header.file;
        store->journal.copied = (int64_t)apply->header.end;
    }
}

static int32_t new_table(struct store *store, struct dray_call *call)
{
    load_forget(store);
    store->table = table_new(store->host, "file", UINT64_MAX / 2);
    if (!store->table)
        return explain(store, call, DRAY_NOMEM, 0);
    table_weigh(store->table, line_extra);
    store->generation++;
    store->journal.end = 0;
    store->journal.seq = 0;
    store->journal.id = 0;
    store->journal.damage = (struct damage){0};
    return DRAY_OK;
}

/* The whole file up to `limit`. A torn turn of which something has been applied already asks for
   another round that stops before it; each round stops earlier. */
static int32_t read_all(struct store *store, struct dray_call *call, int64_t limit)
{
    const struct damage none = {0};
    struct apply apply;
    int sorted = 0;

    for (;;) {
        int32_t code = new_table(store, call);
        if (code != DRAY_OK)
            return code;
        apply_begin(&apply, store, sorted);
        code = run(store, call, &apply, limit);
        if (code == DRAY_CONFLICT && !sorted) {
            sorted = 1;
            continue;
        }
        if (code == DRAY_CANCELLED) {
            limit = apply.cut;
            continue;
        }
        if (code == DRAY_OK)
            code = refuse(store, call, &apply);
        if (code != DRAY_OK) {
            load_forget(store);
            return code;
        }
        break;
    }
    accept(store, &apply);
    report(store, &none);
    return journal_mend_tail(store, call, apply.unbroken);
}

/* Opens what the path names now. */
static int32_t open_file(struct store *store, struct dray_call *call, int *fd, struct stat *st)
{
    *fd = os->open(store->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (*fd < 0 && errno == ENOENT)
        return DRAY_NOTFOUND;
    if (*fd < 0) {
        int sys = errno;
        int denied = sys == EACCES || sys == EPERM || sys == EROFS || sys == ELOOP;
        return store->host->fail(call, denied ? DRAY_DENIED : DRAY_IO, sys,
            "%s: cannot be opened (%s); let this user read and write it", store->path,
            strerror(sys));
    }
    if (os->fstat(*fd, st) == 0)
        return DRAY_OK;
    int sys = errno;
    os->close(*fd);
    return explain(store, call, DRAY_IO, sys);
}

int32_t load_all(struct store *store, struct dray_call *call)
{
    struct stat st = {0};
    int fd = -1;
    int32_t code = open_file(store, call, &fd, &st);

    if (code == DRAY_OK && st.st_size == 0) {
        os->close(fd);
        code = DRAY_NOTFOUND;
    }
    if (code != DRAY_OK)
        return code;
    journal_close(&store->journal);
    journal_adopt(&store->journal, fd, &st);
    return read_all(store, call, st.st_size);
}

/* What others have appended. Anything out of the ordinary is left to a reading from the start. */
static int32_t read_on(struct store *store, struct dray_call *call)
{
    struct apply apply;
    struct stat st;

    if (os->fstat(store->journal.fd, &st) != 0)
        return explain(store, call, DRAY_IO, errno);
    if (st.st_size == store->journal.end)
        return DRAY_OK;
    if (st.st_size < store->journal.end)
        return read_all(store, call, st.st_size);
    const struct damage before = store->journal.damage;
    apply_begin(&apply, store, 0);
    int32_t code = run(store, call, &apply, st.st_size);
    if (code == DRAY_CONFLICT || code == DRAY_CANCELLED)
        return read_all(store, call, st.st_size);
    if (code != DRAY_OK)
        return code;
    accept(store, &apply);
    report(store, &before);
    return journal_mend_tail(store, call, apply.unbroken);
}

/* The file was written anew: what its copied part holds is in the table already if it was copied
   from the one that we know. */
static int32_t follow(struct store *store, struct dray_call *call)
{
    uint64_t known = store->journal.id;
    struct header header;
    struct stat st = {0};
    int fd = -1;
    int32_t code = read_on(store, call);

    if (code != DRAY_OK)
        return code;
    uint64_t generation = store->generation;
    code = open_file(store, call, &fd, &st);
    if (code == DRAY_NOTFOUND)
        return store->host->fail(call, DRAY_IO, ENOENT,
            "%s: moved or deleted while in use; put it back, or restart what uses it", store->path);
    if (code != DRAY_OK)
        return code;
    int read = journal_read_header(store, fd, &header);
    rewrite_abandon(store);
    retire_file(store, store->journal.fd);
    journal_adopt(&store->journal, fd, &st);
    if (!known || !read || header.version != LINE_VERSION || header.after != known ||
        generation != store->generation || (int64_t)header.end > st.st_size)
        return read_all(store, call, st.st_size);
    store->journal.id = header.file;
    store->journal.copied = (int64_t)header.end;
    store->journal.end = (int64_t)header.end;
    store->journal.seq = header.records;
    store->journal.damage = (struct damage){0};
    return read_on(store, call);
}

int32_t load_rest(struct store *store, struct dray_call *call)
{
    struct stat st;

    if (!store->table) {
        int32_t code = load_all(store, call);
        if (code == DRAY_NOTFOUND)
            return store->host->fail(call, DRAY_IO, ENOENT,
                "%s: moved, deleted or emptied while in use; put it back, or restart what uses it",
                store->path);
        return code;
    }
    if (os->lstat(store->path, &st) != 0 && errno != ENOENT)
        return explain(store, call, DRAY_IO, errno);
    if ((uint64_t)st.st_ino == store->journal.ino && (uint64_t)st.st_dev == store->journal.dev)
        return read_on(store, call);
    return follow(store, call);
}

int32_t load_check(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    struct apply apply;

    apply_begin(&apply, NULL, 0);
    apply.host = store->host;
    apply.scratch = &store->scratch;
    apply.input = &store->input;
    apply.call = call;
    apply.path = store->path;
    int32_t code = apply_range(&apply, store->journal.fd, 0, store->journal.end);
    if (code == DRAY_IO || code == DRAY_NOMEM)
        return explain(store, call, code, apply.sys);
    tend->records = apply.records;
    tend->damaged = apply.damage.records;
    return DRAY_OK;
}
