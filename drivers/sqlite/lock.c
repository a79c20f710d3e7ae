/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/lock.h"

#include "common/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Layout of the lock file. */
#define TROUBLES_AT 0
#define BELL_AT 8

static int32_t open_file(struct lock *lock, int *sys)
{
    struct stat st;
    int fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *sys = errno;
        if (fd >= 0)
            close(fd);
        return *sys == EACCES || *sys == EPERM || *sys == ELOOP || *sys == EROFS ? DRAY_DENIED
                                                                                 : DRAY_IO;
    }
    if (!S_ISREG(st.st_mode)) {
        *sys = 0;
        close(fd);
        return DRAY_DENIED;
    }
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = fd;
    lock->gate = gate_of(st.st_dev, st.st_ino);
    return DRAY_OK;
}

int32_t lock_open(struct lock *lock, char *path, int *sys)
{
    lock->path = path;
    lock->fd = -1;
    return open_file(lock, sys);
}

void lock_close(struct lock *lock)
{
    lock_give(lock);
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

/* Somebody may have removed the file: then a newcomer locks another one, and we must follow. */
static int is_current(const struct lock *lock)
{
    struct stat ours, named;
    return fstat(lock->fd, &ours) == 0 && lstat(lock->path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* flock by polling, as nothing in the kernel waits for a file lock with a deadline. */
static int32_t flock_until(struct lock *lock, int64_t deadline_ms, int *sys)
{
    long nap_ns = 0;
    while (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
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
        *sys = 0;
        struct gate *gate = lock->gate;
        if (!gate_enter(gate, deadline_ms))
            return DRAY_BUSY;
        int32_t code = flock_until(lock, deadline_ms, sys);
        if (code == DRAY_OK && is_current(lock)) {
            lock->held = 1;
            return DRAY_OK;
        }
        if (code == DRAY_OK)
            flock(lock->fd, LOCK_UN);
        gate_leave(gate);
        if (code == DRAY_OK)
            code = open_file(lock, sys);
        if (code != DRAY_OK)
            return code;
    }
}

void lock_give(struct lock *lock)
{
    if (!lock->held)
        return;
    lock->held = 0;
    flock(lock->fd, LOCK_UN);
    gate_leave(lock->gate);
}

uint64_t lock_troubles(const struct lock *lock)
{
    uint64_t troubles = 0;
    if (pread(lock->fd, &troubles, sizeof(troubles), TROUBLES_AT) != (ssize_t)sizeof(troubles))
        return 0;
    return troubles;
}

void lock_add_trouble(struct lock *lock)
{
    uint64_t troubles = lock_troubles(lock) + 1;
    /* Without the note the others only lose an early warning: nothing to do about a failure. */
    ssize_t n = pwrite(lock->fd, &troubles, sizeof(troubles), TROUBLES_AT);
    (void)n;
}

void lock_touch(struct lock *lock)
{
    /* A lost ring costs the others their poll interval, no more. */
    ssize_t n = pwrite(lock->fd, "", 1, BELL_AT);
    (void)n;
}
