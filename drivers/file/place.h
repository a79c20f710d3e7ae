/* SPDX-License-Identifier: Apache-2.0 */
/* Where the file lies: its folder, and what is there already. */
#ifndef FILE_PLACE_H
#define FILE_PLACE_H

#include "file/store.h"

/* Makes the folders of the path (0700, each fsynced into its parent) and sets the paths of the
   store, the folder resolved. Refuses a network file system unless `network`, and what cannot be a
   queue: a folder, a link, a device. */
int32_t place_prepare(struct store *store, struct dray_call *call, const char *path, int network);

/* fsync of the folder: the names in it are safe. 0, or -1 and errno. */
int place_sync_folder(struct store *store);

#endif
