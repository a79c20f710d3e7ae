/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock under which a store is changed: a kernel lock (flock) on a file of its own, gone with
 * the process that held it whatever became of it, and a gate for the threads of this process in
 * front.
 *
 * Whoever comes first when it is free has it: that is fast, but a process that is always at it
 * could keep another one out for seconds. So who has waited for 20 ms takes a place in a queue: a
 * kernel lock on one byte of the same file, far behind its end, whose offset is the time. While
 * there is a queue its first is next.
 *
 * The same file carries a mark, a number that all processes share and each driver has its own use
 * for, and it is what waiting workers of other processes watch (bell.h).
 */
#ifndef DRIVERS_COMMON_LOCK_H
#define DRIVERS_COMMON_LOCK_H

#include "dray/driver.h"

struct gate;

struct lock {
    const char *path; /* borrowed */
    int fd;           /* -1: not open */
    int held;
    int64_t place; /* in the queue; 0: none */
    struct gate *gate;
};

/* Opens or creates the file. Sets *sys to the errno behind DRAY_DENIED, DRAY_FULL or DRAY_IO;
   explains nothing. */
int32_t lock_open(struct lock *lock, const char *path, int *sys);
void lock_close(struct lock *lock);

/* Takes the lock. DRAY_BUSY after the deadline (gate_clock_ms), or a code as lock_open gives;
   explains nothing. */
int32_t lock_take(struct lock *lock, int64_t deadline_ms, int *sys);
void lock_give(struct lock *lock);

/* The mark; 0: none. Called with the lock held. A mark that cannot be read is none, as it may never
   have been written. */
uint64_t lock_mark(const struct lock *lock);
/* 0 if it could not be written. */
int lock_set_mark(const struct lock *lock, uint64_t mark);

/* Wakes those who watch. */
void lock_ring(const struct lock *lock);

#endif
