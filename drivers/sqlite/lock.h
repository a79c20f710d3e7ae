/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock that every write and every checkpoint happens under: a kernel lock (flock) on PATH-lock,
 * and in front of it a gate for the threads of this process. SQLite's own locks stay in force
 * beneath; this one keeps its busy loops idle, and serialises what SQLite before 3.51.3 must not
 * do at once (a checkpoint that resets the log, and a commit).
 *
 * The same file carries a counter of failed writes and the bell (bell.h).
 */
#ifndef SQLITE_LOCK_H
#define SQLITE_LOCK_H

#include "dray/driver.h"

struct gate;

struct lock {
    char *path; /* borrowed */
    int fd;     /* -1: not open */
    int held;
    struct gate *gate;
};

/* Opens or creates the file. Sets *sys to the errno behind DRAY_DENIED or DRAY_IO; explains
   nothing. */
int32_t lock_open(struct lock *lock, char *path, int *sys);
void lock_close(struct lock *lock);

/* Takes the lock. DRAY_BUSY after the deadline (gate_clock_ms), DRAY_IO; explains nothing. */
int32_t lock_take(struct lock *lock, int64_t deadline_ms, int *sys);
void lock_give(struct lock *lock);

/* The counter of failed writes that all processes share. Called with the lock held; a file that
   cannot be read counts as none. */
uint64_t lock_troubles(const struct lock *lock);
void lock_add_trouble(struct lock *lock);

/* Writes a byte, for those who watch the file. */
void lock_touch(struct lock *lock);

#endif
