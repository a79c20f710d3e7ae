/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRY_EVERY_MS 1000

static int64_t allocated(const struct spare *spare)
{
    struct stat st;
    if (fstat(spare->fd, &st) != 0)
        return 0;
    return st.st_size;
}

static int allocate(const struct spare *spare)
{
    int sys = posix_fallocate(spare->fd, 0, spare->size);
    if (sys != 0 && ftruncate(spare->fd, 0) != 0)
        return errno;
    return sys;
}

int spare_open(struct spare *spare, char *path, int64_t size)
{
    spare->path = path;
    spare->size = size;
    if (size <= 0)
        return 0;
    spare->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (spare->fd < 0)
        return errno;
    spare->open = 1;
    return 0;
}

int spare_is_there(struct spare *spare, int64_t now_ms)
{
    if (!spare->open || allocated(spare) >= spare->size)
        return 1;
    if (now_ms < spare->try_ms)
        return 0;
    spare->try_ms = now_ms + TRY_EVERY_MS;
    return allocate(spare) == 0;
}

int spare_drop(struct spare *spare, int64_t now_ms)
{
    if (!spare->open || allocated(spare) == 0)
        return 0;
    spare->try_ms = now_ms + TRY_EVERY_MS;
    return ftruncate(spare->fd, 0) == 0;
}

void spare_close(struct spare *spare)
{
    if (spare->open)
        close(spare->fd);
    spare->open = 0;
}
