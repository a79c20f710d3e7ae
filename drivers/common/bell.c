/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* DELETE_SELF: a lock file that was removed is made anew by the next writer. */
#define EVENTS (IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF)

int bell_watch(struct bell *bell, const char *lock_path)
{
    if (bell->armed)
        return bell->fd;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -1;
    if (inotify_add_watch(fd, lock_path, EVENTS) < 0) {
        int sys = errno;
        close(fd);
        errno = sys;
        return -1;
    }
    bell->fd = fd;
    bell->armed = 1;
    return fd;
}

void bell_clear(struct bell *bell, const char *lock_path)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    int gone = 0;
    if (!bell->armed)
        return;
    for (;;) {
        ssize_t n = read(bell->fd, events, sizeof(events));
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;
            memcpy(&event, events + at, sizeof(event));
            gone |= (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
            at += (ssize_t)(sizeof(event) + event.len);
        }
    }
    if (gone) /* the file of that name now; fails until a writer has made it, polling bridges that
               */
        inotify_add_watch(bell->fd, lock_path, EVENTS);
}

void bell_close(struct bell *bell)
{
    if (bell->armed)
        close(bell->fd);
    bell->armed = 0;
}
