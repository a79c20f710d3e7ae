/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lock.h"

#include "common/gate.h"
#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

/* Layout of the lock file. */
#define MARK_AT 0
#define BELL_AT 8
#define QUEUE_AT 16 /* from here on bytes are locked, none is written */

#define NS_PER_SECOND 1000000000
#define PLACE_FOR_NS (NS_PER_SECOND / 4)
#define NEXT_NAP_NS 200000 /* between tries of who is next, as all others leave the lock alone */
#define QUEUE_NAP_NS 1000000

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
    lock->place = 0;
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

/* ---- the queue of those who have waited for long ---- */

/* The wall clock, since processes may have monotonic clocks of their own (time_namespaces(7)). When
   it is set, those who wait just then change places. */
static int64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* Has anybody a place, or one before ours? Old places do not count: a process that has been stopped
   while it waited would keep all others out. Where files cannot be locked so there is no queue. */
static int others_are_next(const struct lock *lock)
{
    int64_t now = wall_ns(), until = lock->place ? lock->place : now;
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    range.l_start = now - PLACE_FOR_NS;
    range.l_len = until - range.l_start;
    return range.l_start >= QUEUE_AT && range.l_len > 0 &&
           os->lock_range(lock->fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

static int lock_place(const struct lock *lock, int64_t place, short type)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};

    return os->lock_range(lock->fd, F_OFD_SETLK, &range) == 0;
}

static void queue_leave(struct lock *lock)
{
    if (lock->place)
        lock_place(lock, lock->place, F_UNLCK);
    lock->place = 0;
}

/* Takes a place, or another one when ours has become old: then it returns 1. Two who come in the
   same nanosecond: the second one tries again after its nap. */
static int queue_join(struct lock *lock)
{
    int64_t now = wall_ns();
    int had = lock->place != 0;

    if (had && now >= lock->place && now - lock->place < PLACE_FOR_NS)
        return 0;
    queue_leave(lock);
    if (now >= QUEUE_AT && lock_place(lock, now, F_WRLCK))
        lock->place = now;
    return had;
}

/* By polling, as nothing in the kernel waits for a file lock with a deadline. Who has been through
   the queue in vain waits behind nobody any more: where turns are long or many, the last ones would
   be the last for ever. */
static int32_t flock_until(struct lock *lock, int64_t deadline_ms, int *sys)
{
    long nap_ns = 0;
    int64_t starves_ms = 0;
    int for_long = 0;

    for (;;) {
        int behind = !for_long && others_are_next(lock);
        if (!behind && os->flock(lock->fd, LOCK_EX | LOCK_NB) == 0)
            return DRAY_OK;
        *sys = behind ? EWOULDBLOCK : errno;
        if (*sys != EWOULDBLOCK && *sys != EINTR)
            return DRAY_IO;
        int64_t now = gate_clock_ms();
        if (now >= deadline_ms)
            return DRAY_BUSY;
        if (!starves_ms)
            starves_ms = now + GATE_STARVING_MS;
        if (now >= starves_ms)
            for_long |= queue_join(lock);
        long most_ns = behind ? QUEUE_NAP_NS : NEXT_NAP_NS;
        if (lock->place && nap_ns > most_ns)
            nap_ns = most_ns;
        gate_nap(&nap_ns);
    }
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
        queue_leave(lock);
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
