/* SPDX-License-Identifier: Apache-2.0 */
/* Where the file of a driver lies: its folder, and what is there already. Paths are absolute. */
#ifndef DRIVERS_COMMON_PLACE_H
#define DRIVERS_COMMON_PLACE_H

#include "dray/driver.h"

#define PLACE_SUFFIX_MAX 24 /* longest that a driver adds to a path, its zero included */

/* Makes the folders of `given` (0700, each fsynced into its parent) and sets *path to it, the
   folder resolved, in the host's memory. Refuses a network file system unless `network`. */
int32_t place_prepare(const struct dray_host *host, struct dray_call *call, const char *given,
    int network, char **path);

/* Refuses what cannot be a store: a folder, a link, a device. `kind` is what it should be, for
   people ("queue file"). *missing: nothing is there. */
int32_t place_check(const struct dray_host *host, struct dray_call *call, const char *path,
    const char *kind, int *missing);

/* fsync of the folder of `path`: the names in it are safe. 0, or -1 and errno. */
int place_sync_folder(const char *path);

/* path + suffix in the host's memory; NULL without it. */
char *place_beside(const struct dray_host *host, const char *path, const char *suffix);

/* Explains an errno at that path: "PATH: cannot DOING (...); ...". Returns the code for it. */
int32_t place_fail(
    const struct dray_host *host, struct dray_call *call, const char *path, const char *doing);

#endif
