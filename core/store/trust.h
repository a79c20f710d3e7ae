/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this file be loaded as code? Only if nobody but root and the user of this process can change
 * it: the file and each folder above it belong to one of the two and cannot be written to by group
 * or others (sticky folders such as /tmp are accepted), it is a regular file, and its last part is
 * no symbolic link.
 */
#ifndef CORE_STORE_TRUST_H
#define CORE_STORE_TRUST_H

#include "dray/error.h"

#include <limits.h>
#include <sys/types.h>

struct trusted_file {
    dev_t dev;
    ino_t ino;
    char path[PATH_MAX]; /* without symbolic links */
};

/* `path` is absolute. DRAY_NOTFOUND, DRAY_DENIED (with the cure), DRAY_IO, DRAY_INVALID. */
int trust_check(const char *path, struct trusted_file *out, struct dray_error *error);

/* Is the file at its path still the one that was checked? */
int trust_same(const struct trusted_file *file);

#endif
