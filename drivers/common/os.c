/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int os_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int os_lock_range(int fd, int command, struct flock *range)
{
    return fcntl(fd, command, range);
}

const struct os os_system = {
    .open = os_open,
    .close = close,
    .pread = pread,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .fstat = fstat,
    .lstat = lstat,
    .rename = rename,
    .link = link,
    .unlink = unlink,
    .mkdir = mkdir,
    .flock = flock,
    .lock_range = os_lock_range,
    .statfs = statfs,
};

const struct os *os = &os_system;
