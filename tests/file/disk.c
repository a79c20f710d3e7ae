/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include "disk_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDS 64
#define FOLDER (-2) /* the number of the folder where a file's is asked for */

struct plan_state {
    struct disk_plan plan;
    uint64_t calls;
    int hits;
    const void *kind; /* the call that was hit first */
};

struct disk_image disk_now;
static int fds[FDS]; /* file + 1, FOLDER, or 0 */
static struct disk_log log_now;
static struct plan_state state;
static uint64_t limit, bytes_read;
static int forgets;                 /* no log, and files that nobody can reach any more make room */
static uint32_t magic = 0x01021994; /* tmpfs */

static void *need(void *block)
{
    if (!block)
        abort();
    return block;
}

static void *copy_of(const void *bytes, size_t len)
{
    char *copy = need(malloc(len + 1));
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = 0;
    return copy;
}

/* ---- files ---- */

void disk_resize_file(struct file *file, size_t len)
{
    if (len > file->room) {
        file->room = len * 2;
        file->bytes = need(realloc(file->bytes, file->room));
    }
    if (len > file->len)
        memset(file->bytes + file->len, 0, len - file->len);
    file->len = len;
}

void disk_write_file(struct file *file, const char *bytes, size_t len, int64_t at)
{
    if ((size_t)at + len > file->len)
        disk_resize_file(file, (size_t)at + len);
    if (len)
        memcpy(file->bytes + at, bytes, len);
}

static size_t taken(const struct file *file)
{
    return file->len > file->ahead ? file->len : file->ahead;
}

struct name *disk_find(const char *text)
{
    for (int i = 0; i < NAMES; i++) {
        if (disk_now.names[i].text && strcmp(disk_now.names[i].text, text) == 0)
            return &disk_now.names[i];
    }
    return NULL;
}

void disk_set_name(const char *text, int file)
{
    struct name *name = disk_find(text);
    for (int i = 0; !name && i < NAMES; i++) {
        if (!disk_now.names[i].text) {
            name = &disk_now.names[i];
            name->text = copy_of(text, strlen(text));
        }
    }
    if (!name)
        abort();
    name->file = file;
}

void disk_drop_name(struct name *name)
{
    free(name->text);
    *name = (struct name){NULL, 0};
}

static int is_reachable(int file)
{
    for (int i = 0; i < NAMES; i++) {
        if (disk_now.names[i].text && disk_now.names[i].file == file)
            return 1;
    }
    for (int i = 0; i < FDS; i++) {
        if (fds[i] == file + 1)
            return 1;
    }
    return 0;
}

int disk_new_file(void)
{
    for (int i = 0; forgets && i < disk_now.nfiles; i++) {
        if (!is_reachable(i)) {
            disk_resize_file(&disk_now.files[i], 0);
            disk_now.files[i].ahead = 0;
            return i;
        }
    }
    if (disk_now.nfiles == FILES)
        abort();
    return disk_now.nfiles++;
}

static void clear_image(struct disk_image *image)
{
    for (int i = 0; i < image->nfiles; i++)
        free(image->files[i].bytes);
    for (int i = 0; i < NAMES; i++)
        free(image->names[i].text);
    memset(image, 0, sizeof(*image));
}

void disk_copy_image(struct disk_image *to, const struct disk_image *from)
{
    memset(to, 0, sizeof(*to));
    to->nfiles = from->nfiles;
    for (int i = 0; i < from->nfiles; i++)
        disk_write_file(&to->files[i], from->files[i].bytes, from->files[i].len, 0);
    for (int i = 0; i < NAMES; i++) {
        if (from->names[i].text)
            to->names[i] = (struct name){
                copy_of(from->names[i].text, strlen(from->names[i].text)), from->names[i].file};
    }
}

struct disk_image *disk_save(void)
{
    struct disk_image *image = need(malloc(sizeof(*image)));
    disk_copy_image(image, &disk_now);
    return image;
}

void disk_image_free(struct disk_image *image)
{
    if (image)
        clear_image(image);
    free(image);
}

/* ---- the log ---- */

static struct disk_change *add(enum disk_what what, int file)
{
    if (forgets)
        disk_log_free(&log_now);
    if (log_now.n == log_now.room) {
        log_now.room = log_now.room ? log_now.room * 2 : 256;
        log_now.at = need(realloc(log_now.at, log_now.room * sizeof(*log_now.at)));
    }
    log_now.at[log_now.n] = (struct disk_change){.what = what, .file = file};
    return &log_now.at[log_now.n++];
}

void disk_mark(int64_t word)
{
    add(DISK_MARK, 0)->at = word;
}

const struct disk_log *disk_changes(void)
{
    return &log_now;
}

struct disk_log disk_take_changes(void)
{
    struct disk_log taken = log_now;
    log_now = (struct disk_log){NULL, 0, 0};
    return taken;
}

void disk_log_free(struct disk_log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        free(log->at[i].bytes);
        free(log->at[i].name);
        free(log->at[i].renamed);
    }
    free(log->at);
    *log = (struct disk_log){NULL, 0, 0};
}

/* ---- the calls ---- */

/* Nonzero if this call is to go wrong. `kind` tells calls apart. */
static int is_hit(const void *kind, int looks)
{
    const struct disk_plan *plan = &state.plan;
    if (looks && plan->writes_only)
        return 0;
    state.calls++;
    if (!plan->first || state.calls < plan->first)
        return 0;
    if (state.calls == plan->first)
        state.kind = kind;
    else if (!plan->forever || state.kind != kind)
        return 0;
    state.hits++;
    return 1;
}

static int fails(const void *kind, int looks)
{
    if (!is_hit(kind, looks) || state.plan.fault == DISK_SHORT)
        return 0;
    errno = state.plan.error;
    return 1;
}

#define KIND(name) static const char kind_##name = 0
KIND(open);
KIND(pread);
KIND(pwrite);
KIND(sync);
KIND(fsync);
KIND(ftruncate);
KIND(fallocate);
KIND(fstat);
KIND(lstat);
KIND(rename);
KIND(link);
KIND(unlink);
KIND(statfs);

static struct file *file_of(int fd)
{
    if (fd < 100 || fd >= 100 + FDS || fds[fd - 100] <= 0)
        abort();
    return &disk_now.files[fds[fd - 100] - 1];
}

static int give_fd(int value)
{
    for (int i = 0; i < FDS; i++) {
        if (!fds[i]) {
            fds[i] = value;
            return 100 + i;
        }
    }
    abort();
}

static int disk_open(const char *path, int flags, mode_t mode)
{
    (void)mode;
    if (fails(&kind_open, (flags & O_CREAT) == 0))
        return -1;
    if (flags & O_DIRECTORY)
        return give_fd(FOLDER);
    const struct name *name = disk_find(path);
    if (name && (flags & O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    if (name)
        return give_fd(name->file + 1);
    if (!(flags & O_CREAT)) {
        errno = ENOENT;
        return -1;
    }
    int file = disk_new_file();
    disk_set_name(path, file);
    add(DISK_CREATE, file)->name = copy_of(path, strlen(path));
    return give_fd(file + 1);
}

static int disk_close(int fd)
{
    if (fd < 100 || !fds[fd - 100])
        abort();
    fds[fd - 100] = 0;
    return 0;
}

static ssize_t disk_pread(int fd, void *to, size_t len, off_t at)
{
    if (is_hit(&kind_pread, 1)) {
        if (state.plan.fault == DISK_FAIL) {
            errno = state.plan.error;
            return -1;
        }
        len = len > 1 ? len / 2 : len;
    }
    const struct file *file = file_of(fd);
    if ((size_t)at >= file->len)
        return 0;
    len = len < file->len - (size_t)at ? len : file->len - (size_t)at;
    memcpy(to, file->bytes + at, len);
    bytes_read += len;
    return (ssize_t)len;
}

static ssize_t disk_pwrite(int fd, const void *from, size_t len, off_t at)
{
    struct file *file = file_of(fd);
    if (is_hit(&kind_pwrite, 0)) {
        if (state.plan.fault == DISK_FAIL) {
            errno = state.plan.error;
            return -1;
        }
        len = len > 1 ? len / 2 : len;
    }
    size_t more = (size_t)at + len > taken(file) ? (size_t)at + len - taken(file) : 0;
    if (limit && disk_used() + more > limit) {
        size_t room = limit > disk_used() ? (size_t)(limit - disk_used()) : 0;
        if (more - room >= len) {
            errno = ENOSPC;
            return -1;
        }
        len -= more - room;
    }
    disk_write_file(file, from, len, at);
    struct disk_change *change = add(DISK_WRITE, fds[fd - 100] - 1);
    change->at = at;
    change->len = len;
    change->bytes = copy_of(from, len);
    return (ssize_t)len;
}

static int sync_fd(int fd)
{
    if (fds[fd - 100] == FOLDER)
        add(DISK_SYNC_FOLDER, 0);
    else
        add(DISK_SYNC, fds[fd - 100] - 1);
    return 0;
}

static int disk_fdatasync(int fd)
{
    return fails(&kind_sync, 0) ? -1 : sync_fd(fd);
}

static int disk_fsync(int fd)
{
    return fails(&kind_fsync, 0) ? -1 : sync_fd(fd);
}

static int disk_ftruncate(int fd, off_t size)
{
    if (fails(&kind_ftruncate, 0))
        return -1;
    struct file *file = file_of(fd);
    file->ahead = 0;
    if ((size_t)size == file->len)
        return 0;
    disk_resize_file(file, (size_t)size);
    add(DISK_TRUNCATE, fds[fd - 100] - 1)->at = size;
    return 0;
}

static int disk_fallocate(int fd, int mode, off_t at, off_t len)
{
    (void)mode;
    if (fails(&kind_fallocate, 0))
        return -1;
    struct file *file = file_of(fd);
    uint64_t end = (uint64_t)(at + len), have = taken(file);
    if (limit && end > have && disk_used() + end - have > limit) {
        errno = ENOSPC;
        return -1;
    }
    file->ahead = end > have ? (size_t)end : file->ahead;
    return 0;
}

static int fill_stat(int file, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_dev = 7;
    st->st_ino = (ino_t)file + 1;
    st->st_mode = S_IFREG | 0600;
    st->st_size = (off_t)disk_now.files[file].len;
    return 0;
}

static int disk_fstat(int fd, struct stat *st)
{
    return fails(&kind_fstat, 1) ? -1 : fill_stat((int)(file_of(fd) - disk_now.files), st);
}

static int disk_lstat(const char *path, struct stat *st)
{
    if (fails(&kind_lstat, 1))
        return -1;
    const struct name *name = disk_find(path);
    if (name)
        return fill_stat(name->file, st);
    errno = ENOENT;
    return -1;
}

static int disk_rename(const char *from, const char *to)
{
    if (fails(&kind_rename, 0))
        return -1;
    struct name *name = disk_find(from);
    if (!name) {
        errno = ENOENT;
        return -1;
    }
    int file = name->file;
    disk_drop_name(name);
    disk_set_name(to, file);
    struct disk_change *change = add(DISK_RENAME, file);
    change->name = copy_of(from, strlen(from));
    change->renamed = copy_of(to, strlen(to));
    return 0;
}

static int disk_link(const char *from, const char *to)
{
    if (fails(&kind_link, 0))
        return -1;
    const struct name *name = disk_find(from);
    if (!name || disk_find(to)) {
        errno = name ? EEXIST : ENOENT;
        return -1;
    }
    int file = name->file;
    disk_set_name(to, file);
    add(DISK_LINK, file)->name = copy_of(to, strlen(to));
    return 0;
}

static int disk_unlink(const char *path)
{
    if (fails(&kind_unlink, 0))
        return -1;
    struct name *name = disk_find(path);
    if (!name) {
        errno = ENOENT;
        return -1;
    }
    add(DISK_UNLINK, name->file)->name = copy_of(path, strlen(path));
    disk_drop_name(name);
    return 0;
}

static int disk_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

static int disk_flock(int fd, int how)
{
    (void)how;
    file_of(fd);
    return 0;
}

/* One process: nobody else waits. */
static int disk_lock_range(int fd, int command, struct flock *range)
{
    file_of(fd);
    if (command == F_OFD_GETLK)
        range->l_type = F_UNLCK;
    return 0;
}

static int disk_statfs(const char *path, struct statfs *fs)
{
    (void)path;
    if (fails(&kind_statfs, 1))
        return -1;
    memset(fs, 0, sizeof(*fs));
    fs->f_type = magic;
    return 0;
}

static const struct os calls = {
    .open = disk_open,
    .close = disk_close,
    .pread = disk_pread,
    .pwrite = disk_pwrite,
    .fdatasync = disk_fdatasync,
    .fsync = disk_fsync,
    .ftruncate = disk_ftruncate,
    .fallocate = disk_fallocate,
    .fstat = disk_fstat,
    .lstat = disk_lstat,
    .rename = disk_rename,
    .link = disk_link,
    .unlink = disk_unlink,
    .mkdir = disk_mkdir,
    .flock = disk_flock,
    .lock_range = disk_lock_range,
    .statfs = disk_statfs,
};

/* ---- what tests ask for ---- */

void disk_free(void)
{
    clear_image(&disk_now);
    disk_log_free(&log_now);
    memset(fds, 0, sizeof(fds));
    os = &os_system;
}

void disk_new(void)
{
    disk_free();
    forgets = 0;
    limit = 0;
    magic = 0x01021994;
    disk_plan(NULL);
}

void disk_plan(const struct disk_plan *plan)
{
    memset(&state, 0, sizeof(state));
    if (plan)
        state.plan = *plan;
    os = &calls;
}

uint64_t disk_calls(void)
{
    return state.calls;
}

int disk_hits(void)
{
    return state.hits;
}

void disk_forget(void)
{
    forgets = 1;
}

void disk_limit(uint64_t bytes)
{
    limit = bytes;
}

void disk_kind(uint32_t kind)
{
    magic = kind;
}

const char *disk_read(const char *name, size_t *len)
{
    const struct name *found = disk_find(name);
    if (!found)
        return NULL;
    *len = disk_now.files[found->file].len;
    return disk_now.files[found->file].bytes;
}

void disk_write(const char *name, const char *bytes, size_t len)
{
    struct name *found = disk_find(name);
    int file = found ? found->file : disk_new_file();
    if (!found)
        disk_set_name(name, file);
    disk_resize_file(&disk_now.files[file], 0);
    disk_write_file(&disk_now.files[file], bytes, len, 0);
}

void disk_cut(const char *name, size_t len)
{
    const struct name *found = disk_find(name);
    if (!found)
        abort();
    disk_resize_file(&disk_now.files[found->file], len);
}

uint64_t disk_used(void)
{
    uint64_t bytes = 0;
    char counted[FILES] = {0};
    for (int i = 0; i < NAMES; i++) {
        if (!disk_now.names[i].text || counted[disk_now.names[i].file])
            continue;
        counted[disk_now.names[i].file] = 1;
        bytes += taken(&disk_now.files[disk_now.names[i].file]);
    }
    return bytes;
}

uint64_t disk_used_by(const char *name)
{
    const struct name *found = disk_find(name);
    return found ? taken(&disk_now.files[found->file]) : 0;
}

uint64_t disk_bytes_read(void)
{
    uint64_t bytes = bytes_read;
    bytes_read = 0;
    return bytes;
}
