/* SPDX-License-Identifier: Apache-2.0 */
#include "store/trust.h"

#include "host/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file or folder, already open as `fd`; `path` is for the message. */
static int check_one(int fd, const char *path, struct stat *st, struct dray_error *error)
{
    if (fstat(fd, st) != 0)
        return error_set(error, DRAY_IO, errno, "%s: %s", path, strerror(errno));
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(error, DRAY_DENIED, 0,
            "%s belongs to user %u, who could change what is loaded; make it root's (chown)", path,
            (unsigned)st->st_uid);
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))
        return DRAY_OK;
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(error, DRAY_DENIED, 0,
            "%s can be written to by others (mode %04o); chmod go-w it", path,
            (unsigned)(st->st_mode & 07777));
    return DRAY_OK;
}

static int open_failed(const char *path, struct dray_error *error)
{
    int sys = errno;
    if (sys == ENOENT || sys == ENOTDIR)
        return error_set(error, DRAY_NOTFOUND, sys, "%s does not exist", path);
    if (sys == ELOOP)
        return error_set(
            error, DRAY_DENIED, sys, "%s is a symbolic link; name the file itself", path);
    return error_set(
        error, sys == EACCES ? DRAY_DENIED : DRAY_IO, sys, "%s: %s", path, strerror(sys));
}

/* Goes down a path without links, folder by folder, and leaves *at open on the last one. */
static int check_folders(char *path, int *at, struct dray_error *error)
{
    struct stat st;
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return open_failed("/", error);
    int code = check_one(fd, "/", &st, error);
    for (char *part = path; code == DRAY_OK && *part;) {
        char *name = part + 1;
        part = strchrnul(name, '/');
        char cut = *part;
        *part = 0;
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        code = next < 0 ? open_failed(path, error) : check_one(next, path, &st, error);
        *part = cut;
        close(fd);
        fd = next;
    }
    if (code != DRAY_OK && fd >= 0)
        close(fd);
    else if (code == DRAY_OK)
        *at = fd;
    return code;
}

static int check_leaf(int at, const char *name, struct trusted_file *out, struct dray_error *error)
{
    /* Not blocking: the leaf may be a FIFO. */
    int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return open_failed(out->path, error);
    struct stat st;
    int code = check_one(fd, out->path, &st, error);
    if (code == DRAY_OK && !S_ISREG(st.st_mode))
        code = error_set(error, DRAY_DENIED, 0, "%s is not a regular file", out->path);
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    close(fd);
    return code;
}

int trust_check(const char *path, struct trusted_file *out, struct dray_error *error)
{
    char folder[PATH_MAX];
    int len = snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (path[0] != '/' || len < 0 || (size_t)len >= sizeof(folder) || !slash[1])
        return error_set(error, DRAY_INVALID, 0, "%.200s is not the absolute path of a file", path);
    const char *name = path + (slash - folder) + 1;
    *slash = 0;
    if (!realpath(folder[0] ? folder : "/", out->path))
        return open_failed(path, error);
    if (strcmp(out->path, "/") == 0)
        out->path[0] = 0;

    int at = -1;
    int code = check_folders(out->path, &at, error);
    if (code != DRAY_OK)
        return code;
    size_t used = strlen(out->path);
    len = snprintf(out->path + used, sizeof(out->path) - used, "/%s", name);
    if (len < 0 || (size_t)len >= sizeof(out->path) - used)
        code = error_set(error, DRAY_INVALID, ENAMETOOLONG, "%.200s is too long a path", path);
    else
        code = check_leaf(at, name, out, error);
    close(at);
    return code;
}

int trust_same(const struct trusted_file *file)
{
    struct stat st;
    return lstat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino;
}
