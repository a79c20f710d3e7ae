/* SPDX-License-Identifier: Apache-2.0 */
#include "config/file.h"

#include "host/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct dray_error *error, const char *path, int sys)
{
    int code = DRAY_IO;
    const char *what = strerrordesc_np(sys);
    if (sys == ENOENT || sys == ENOTDIR) {
        code = DRAY_NOTFOUND;
        what = "there is no such file; check the path";
    } else if (sys == EACCES || sys == EPERM) {
        code = DRAY_DENIED;
        what = "this user may not read it; check the owner and mode of the file and its folders";
    } else if (sys == ENAMETOOLONG || sys == ELOOP) {
        code = DRAY_CONFIG;
    }
    error_set_at(error, code, path, 0, "%s", what ? what : "cannot be read");
    if (error)
        error->sys = sys;
    return code;
}

static int check_kind(struct dray_error *error, const char *path, const struct stat *about)
{
    if (S_ISDIR(about->st_mode))
        return error_set_at(error, DRAY_CONFIG, path, 0, "is a folder; name a file in it");
    if (!S_ISREG(about->st_mode))
        return error_set_at(error, DRAY_CONFIG, path, 0, "is not a regular file");
    return DRAY_OK;
}

/* Up to `size` bytes; the file may be shorter or longer than its status said. */
static ssize_t read_all(int fd, char *out, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, out + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

int file_read(struct arena *arena, const char *path, size_t max, const char **text, size_t *len,
    struct dray_error *error)
{
    /* Not blocking: a named pipe must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return refuse(error, path, errno);
    struct stat about;
    int code = fstat(fd, &about) ? refuse(error, path, errno) : check_kind(error, path, &about);
    char *buffer = NULL;
    if (code == DRAY_OK) {
        buffer = arena_alloc(arena, max + 2, 1);
        if (!buffer)
            code = error_set(error, DRAY_NOMEM, 0, "out of memory");
    }
    if (code == DRAY_OK) {
        ssize_t n = read_all(fd, buffer, max + 1);
        if (n < 0)
            code = refuse(error, path, errno);
        else if ((size_t)n > max)
            code = error_set_at(error, DRAY_CONFIG, path, 0,
                "is larger than %zu KiB, the most allowed", max / 1024);
        else
            *len = (size_t)n;
    }
    close(fd);
    *text = buffer;
    return code;
}

const char *file_path(struct arena *arena, const char *folder, const char *path)
{
    if (path[0] == '/')
        return arena_copy(arena, path, strlen(path));
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (path[0] == '/')
            path++;
    }
    return arena_print(arena, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
}
