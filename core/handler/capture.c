/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one go at most the largest pipe that an unprivileged child can make, so that a child which
   writes without end does not keep us from looking at the clock. */
#define READ_ONCE (1024u * 1024)

/* Bytes into `buffer`; 0 if there are none now; -1 at the end or on an error. */
static ssize_t read_some(int fd, char *buffer, size_t size)
{
    ssize_t n;
    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    return n == 0 ? -1 : n;
}

static void add_head(struct capture_head *head, const char *data, size_t len)
{
    if (head->overflow || len > head->max - head->len) {
        head->overflow = 1;
        return;
    }
    if (len > head->room - head->len) {
        size_t room = head->room ? head->room : 1024;
        while (room - head->len < len)
            room *= 2;
        char *data_now = realloc(head->data, room);
        if (!data_now) {
            head->overflow = 1;
            return;
        }
        head->data = data_now;
        head->room = room;
    }
    memcpy(head->data + head->len, data, len);
    head->len += len;
}

int capture_head_read(struct capture_head *head, int fd)
{
    char buffer[16384];
    for (size_t total = 0; total < READ_ONCE;) {
        ssize_t n = read_some(fd, buffer, sizeof(buffer));
        if (n <= 0)
            return n == 0;
        add_head(head, buffer, (size_t)n);
        total += (size_t)n;
    }
    return 1;
}

int capture_tail_read(struct capture_tail *tail, int fd)
{
    for (size_t total = 0; total < READ_ONCE;) {
        if (tail->len == sizeof(tail->data)) {
            memmove(tail->data, tail->data + CAPTURE_TAIL, CAPTURE_TAIL);
            tail->len = CAPTURE_TAIL;
        }
        ssize_t n = read_some(fd, tail->data + tail->len, sizeof(tail->data) - tail->len);
        if (n <= 0)
            return n == 0;
        tail->len += (size_t)n;
        total += (size_t)n;
    }
    return 1;
}

const char *capture_tail_text(const struct capture_tail *tail, size_t *len)
{
    *len = tail->len < CAPTURE_TAIL ? tail->len : CAPTURE_TAIL;
    return tail->data + (tail->len - *len);
}
