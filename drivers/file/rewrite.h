/* SPDX-License-Identifier: Apache-2.0 */
/* What lives, copied into a new file that takes the old one's place. Called with the lock held and
   the table up to date. */
#ifndef FILE_REWRITE_H
#define FILE_REWRITE_H

#include "file/store.h"

/* Writes the file anew; also the first one there is. On failure the old one is still in place and
   nothing has changed, or the store is poisoned (DRAY_POISONED). */
int32_t rewrite(struct store *store, struct dray_call *call);

/* Is the file much larger than what lives in it? */
int rewrite_is_due(const struct store *store);

/* Is the disk full, and little enough lives to be written anew where the reserve was? */
int rewrite_is_rescue(const struct store *store);

#endif
