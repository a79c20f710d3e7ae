/* SPDX-License-Identifier: Apache-2.0 */
#include "tracks.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>

#define WAIT_MS 1000

static int count(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

void tracks_take(struct tracks *tracks)
{
    tracks->descriptors = count("/proc/self/fd");
    tracks->threads = count("/proc/self/task");
}

int tracks_left(const struct tracks *before, char *text, size_t size)
{
    struct tracks now;

    /* A thread is still shown for a moment after it has been joined. */
    for (int ms = 0; ms < WAIT_MS; ms++) {
        tracks_take(&now);
        if (now.threads <= before->threads)
            break;
        poll(NULL, 0, 1);
    }
    if (now.descriptors > before->descriptors)
        snprintf(text, size, "%d descriptors are left open", now.descriptors - before->descriptors);
    else if (now.threads > before->threads)
        snprintf(text, size, "%d threads are left", now.threads - before->threads);
    return now.descriptors > before->descriptors || now.threads > before->threads;
}
