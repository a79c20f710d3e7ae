/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lock.h"

#include "common/gate.h"
#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

/* Layout of the lock file. */
#define MARK_AT 0
#define BELL_AT 8

static int32_t code_of(int sys)
{
    switch (sys) {
    case EACCES:
    case EPERM:
    case ELOOP:
    case EROFS:
        return DRAY_DENIED;
    case ENOSPC:
    case EDQUOT:
        return DRAY_FULL;
    default:
        return DRAY_IO;
    }
}

static int32_t open_file(struct lock *lock, int *sys)
{
    struct stat st;
    int fd = os->open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (fd < 0 || os->fstat(fd, &st) != 0) {
        *sys = errno;
        if (fd >= 0)
            os->close(fd);
        return code_of(*sys);
    }
    if (!S_ISREG(st.st_mode)) {
        *sys = 0;
        os->close(fd);
        return DRAY_DENIED;
    }
    if (lock->fd >= 0)
        os->close(lock->fd);
    lock->fd = fd;
    lock->gate = gate_of((uint64_t)st.st_dev, (uint64_t)st.st_ino);
    return DRAY_OK;
}

int32_t lock_open(struct lock *lock, const char *path, int *sys)
{
    lock->path = path;
    lock->fd = -1;
    return open_file(lock, sys);
}

void lock_close(struct lock *lock)
{
    lock_give(lock);
    if (lock->fd >= 0)
        os->close(lock->fd);
    lock->fd = -1;
}

/* Somebody may have removed the file: then a newcomer locks another one, and we must follow. -1 and
   errno if that cannot be told. */
static int is_current(const struct lock *lock)
{
    struct stat ours, named;

    if (os->fstat(lock->fd, &ours) != 0)
        return -1;
    if (os->lstat(lock->path, &named) != 0)
        return errno == ENOENT ? 0 : -1;
    return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* By polling, as nothing in the kernel waits for a file lock with a deadline. */
static int32_t flock_until(struct lock *lock, int64_t deadline_ms, int *sys)
{
    long nap_ns = 0;

    while (os->flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        *sys = errno;
        if (*sys != EWOULDBLOCK && *sys != EINTR)
            return DRAY_IO;
        if (gate_clock_ms() >= deadline_ms)
            return DRAY_BUSY;
        gate_nap(&nap_ns);
    }
    return DRAY_OK;
}

int32_t lock_take(struct lock *lock, int64_t deadline_ms, int *sys)
{
    for (;;) {
        struct gate *gate = lock->gate;
        int current = 0;

        *sys = 0;
        if (!gate_enter(gate, deadline_ms))
            return DRAY_BUSY;
        int32_t code = flock_until(lock, deadline_ms, sys);
        if (code == DRAY_OK)
            current = is_current(lock);
        if (current > 0) {
            lock->held = 1;
            return DRAY_OK;
        }
        if (current < 0) {
            *sys = errno;
            code = DRAY_IO;
        }
        if (code == DRAY_OK || current < 0)
            os->flock(lock->fd, LOCK_UN);
        gate_leave(gate);
        if (code == DRAY_OK)
            code = gate_clock_ms() < deadline_ms ? open_file(lock, sys) : DRAY_BUSY;
        if (code != DRAY_OK)
            return code;
    }
}

void lock_give(struct lock *lock)
{
    if (!lock->held)
        return;
    lock->held = 0;
    os->flock(lock->fd, LOCK_UN);
    gate_leave(lock->gate);
}

uint64_t lock_mark(const struct lock *lock)
{
    uint64_t mark = 0;

    if (os->pread(lock->fd, &mark, sizeof(mark), MARK_AT) != (ssize_t)sizeof(mark))
        return 0;
    return mark;
}

int lock_set_mark(const struct lock *lock, uint64_t mark)
{
    return os->pwrite(lock->fd, &mark, sizeof(mark), MARK_AT) == (ssize_t)sizeof(mark);
}

void lock_ring(const struct lock *lock)
{
    /* A lost ring costs the others their poll interval, no more. */
    ssize_t n = os->pwrite(lock->fd, "", 1, BELL_AT);
    (void)n;
}
