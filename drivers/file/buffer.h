/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, in the host's memory. One thread at a time. */
#ifndef FILE_BUFFER_H
#define FILE_BUFFER_H

#include "dray/driver.h"

#include <stddef.h>

struct buffer {
    char *data;
    size_t len, room;
};

/* Room for `more` bytes behind what is there. 0 without memory. */
int buffer_ensure(struct buffer *buffer, const struct dray_host *host, size_t more);

/* Empties it; memory beyond `keep` bytes is given back. */
void buffer_reset(struct buffer *buffer, const struct dray_host *host, size_t keep);

#endif
