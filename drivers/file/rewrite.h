/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lives, copied into a new file that takes the old one's place; a little in each turn. Called
 * with the lock held and the table up to date.
 *
 * The copy is of the table as it was at the beginning (table_copy_begin); behind it come the
 * records that were appended to the old file since, with new numbers. Until the new file holds all
 * that the old one says, and is on the disk, nobody reads it, and nothing happens to the old one: a
 * crash, or giving up, leaves no more than a PATH.new that nobody needs.
 */
#ifndef FILE_REWRITE_H
#define FILE_REWRITE_H

#include "file/store.h"

/* Begins, in place of what anybody has begun. On failure nothing has changed. */
int32_t rewrite_begin(struct store *store, struct dray_call *call);

int rewrite_is_under_way(const struct store *store);

/* Has somebody else begun anew, so that this one has no name any more? */
int rewrite_is_lost(struct store *store);

/* Bytes of the new file so far. */
int64_t rewrite_size(const struct store *store);

/* Copies about so many bytes more, and puts the new file in place once there is nothing left to
   copy. On failure it is given up and the old file as good as before, or the store is poisoned
   (DRAY_POISONED). */
int32_t rewrite_step(struct store *store, struct dray_call *call, int64_t bytes);

/* Gives up what is under way, if anything is. */
void rewrite_abandon(struct store *store);

/* The whole of it at once, from the beginning; also the first file there is. Fails as rewrite_step
   does. */
int32_t rewrite(struct store *store, struct dray_call *call);

#endif
