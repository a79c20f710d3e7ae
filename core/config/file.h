/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files into memory. */
#ifndef CORE_CONFIG_FILE_H
#define CORE_CONFIG_FILE_H

#include "config/arena.h"
#include "dray/error.h"

/*
 * Reads a regular file of at most `max` bytes; a zero follows the *len bytes. Messages begin with
 * the path. DRAY_NOTFOUND, DRAY_DENIED, DRAY_CONFIG (a folder, a device, too large), DRAY_IO,
 * DRAY_NOMEM.
 */
int file_read(struct arena *arena, const char *path, size_t max, const char **text, size_t *len,
    struct dray_error *error);

/* `path` against the absolute `folder`, unless it is absolute. NULL without memory. */
const char *file_path(struct arena *arena, const char *folder, const char *path);

#endif
