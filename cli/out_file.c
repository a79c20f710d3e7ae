/* SPDX-License-Identifier: Apache-2.0 */
#include "out_file.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const struct cli *cli, const char *path, int sys)
{
    int denied = sys == EACCES || sys == EPERM || sys == EROFS;
    return fail(cli, denied ? EXIT_DENIED : EXIT_IO, denied ? DRAY_DENIED : DRAY_IO,
        "%s: cannot be written: %s", path, strerror(sys));
}

/* A file of the same folder, with the rights that a new file would have. */
static int open_draft(struct out_file *out)
{
    int len = snprintf(out->draft, sizeof(out->draft), "%s.XXXXXX", out->path);
    if (len < 0 || (size_t)len >= sizeof(out->draft)) {
        out->draft[0] = 0;
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(out->draft, O_CLOEXEC);
    if (fd < 0) {
        out->draft[0] = 0;
        return -1;
    }
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) == 0 && (out->file = fdopen(fd, "w")))
        return 0;
    int sys = errno;
    close(fd);
    out_file_drop(out);
    errno = sys;
    return -1;
}

int out_file_open(const struct cli *cli, const char *path, struct out_file *out)
{
    struct stat st;
    memset(out, 0, sizeof(*out));
    /* Behind a symbolic link the file itself is replaced, not the link. */
    int there = realpath(path, out->path) != NULL;
    if (!there && strlen(path) < sizeof(out->path))
        snprintf(out->path, sizeof(out->path), "%s", path);
    else if (!there)
        return refuse(cli, path, ENAMETOOLONG);
    if (there && stat(out->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        out->file = fopen(out->path, "we");
        return out->file ? EXIT_DONE : refuse(cli, path, errno);
    }
    return open_draft(out) == 0 ? EXIT_DONE : refuse(cli, path, errno);
}

/* A new name is safe once its folder is. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash > path ? (size_t)(slash - path) : 1;
    snprintf(folder, sizeof(folder), "%.*s", (int)len, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = fsync(fd);
    int sys = errno;
    close(fd);
    errno = sys;
    return failed;
}

int out_file_finish(const struct cli *cli, struct out_file *out)
{
    errno = EIO; /* of a write that failed long ago nothing else is known */
    int failed = ferror(out->file) || fflush(out->file) != 0;
    if (!failed && out->draft[0])
        failed = fsync(fileno(out->file)) != 0;
    int sys = errno;
    if (fclose(out->file) != 0 && !failed) {
        failed = 1;
        sys = errno;
    }
    out->file = NULL;
    if (!failed && out->draft[0] &&
        (rename(out->draft, out->path) != 0 || sync_folder(out->path) != 0)) {
        failed = 1;
        sys = errno;
    }
    if (!failed)
        return EXIT_DONE;
    out_file_drop(out);
    return refuse(cli, out->path, sys);
}

void out_file_drop(struct out_file *out)
{
    if (out->file)
        fclose(out->file);
    out->file = NULL;
    if (out->draft[0])
        unlink(out->draft);
    out->draft[0] = 0;
}
