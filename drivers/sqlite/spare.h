/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room kept for bad times: a file PATH-spare that is allocated when the store opens and given up
 * when the disk is full, so that outcomes can still be written. While it is gone pushes are refused
 * (they would eat the room); it is allocated again as soon as there is space.
 */
#ifndef SQLITE_SPARE_H
#define SQLITE_SPARE_H

#include <stdint.h>

struct spare {
    char *path;
    int open;
    int fd;
    int64_t size;   /* 0: no spare wanted */
    int64_t try_ms; /* real monotonic time of the next attempt to have it again */
};

/* Opens or makes the file; spare_is_there allocates it. Takes over `path`. 0, else an errno. */
int spare_open(struct spare *spare, char *path, int64_t size);

/* All of it is allocated, or none is wanted. Tries to allocate it if it is not, at most once a
   second. Called with the lock held. */
int spare_is_there(struct spare *spare, int64_t now_ms);

/* Gives the room to the disk. Nonzero if there was any. */
int spare_drop(struct spare *spare, int64_t now_ms);

void spare_close(struct spare *spare);

#endif
