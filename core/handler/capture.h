/* SPDX-License-Identifier: Apache-2.0 */
/* What a child writes, read without ever making it wait and without keeping more than wanted. */
#ifndef CORE_HANDLER_CAPTURE_H
#define CORE_HANDLER_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

/* The first `max` bytes; of more, none are worth anything. */
struct capture_head {
    char *data; /* malloced; the owner frees it */
    size_t len, room;
    uint64_t max;
    int overflow; /* there was more, or no memory for it */
};

/* The last bytes. */
#define CAPTURE_TAIL 4096
struct capture_tail {
    char data[2 * CAPTURE_TAIL]; /* moved down by half when full */
    size_t len;
};

/* Read what a non-blocking descriptor has now. 1 while more may come, 0 at its end. */
int capture_head_read(struct capture_head *head, int fd);
int capture_tail_read(struct capture_tail *tail, int fd);

/* The last at most CAPTURE_TAIL bytes. */
const char *capture_tail_text(const struct capture_tail *tail, size_t *len);

#endif
