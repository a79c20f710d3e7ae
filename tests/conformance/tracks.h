/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver must not leave behind in the process: open descriptors and threads. */
#ifndef CONFORMANCE_TRACKS_H
#define CONFORMANCE_TRACKS_H

#include <stddef.h>

struct tracks {
    int descriptors, threads;
};

void tracks_take(struct tracks *tracks);

/* Is there more now than before? One line into `text` then. Threads that are ending are waited for,
   a second at most. */
int tracks_left(const struct tracks *before, char *text, size_t size);

#endif
