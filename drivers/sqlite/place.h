/* SPDX-License-Identifier: Apache-2.0 */
/* Where the database lies: its folder, and what is there already. */
#ifndef SQLITE_PLACE_H
#define SQLITE_PLACE_H

#include "sqlite/store.h"

/* Makes the folders of the path (0700, each fsynced into its parent) and sets store->path to it,
   the folder resolved: the leaf alone must not be a symbolic link. Refuses a network file system
   unless `network`. */
int32_t place_prepare(struct store *store, struct dray_call *call, const char *path, int network);

/* Refuses what cannot be a queue: a folder, a link, a device. *missing: nothing is there. */
int32_t place_check(struct store *store, struct dray_call *call, int *missing);

/* Makes an empty file, 0600, for SQLite to open. */
int32_t place_create(struct store *store, struct dray_call *call);

/* fsync of the folder: the names in it are safe. */
int32_t place_sync_folder(struct store *store, struct dray_call *call);

/* path + suffix from the host's memory; NULL without it. */
char *place_beside(struct store *store, const char *suffix);

#endif
