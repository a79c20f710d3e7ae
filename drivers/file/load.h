/* SPDX-License-Identifier: Apache-2.0 */
/* From the file to the table: all of it, or what others have appended. Called with the lock held.
 */
#ifndef FILE_LOAD_H
#define FILE_LOAD_H

#include "file/store.h"

/* Opens the file and builds the table from it, anew. Writes nothing but to cut off a torn tail.
   DRAY_NOTFOUND, not explained, if there is no file or an empty one. */
int32_t load_all(struct store *store, struct dray_call *call);

/* Brings table and journal up to what the file, or one that has taken its place, holds now. */
int32_t load_rest(struct store *store, struct dray_call *call);

/* Forgets the table; the next load_rest reads all. */
void load_forget(struct store *store);

/* Reads the file as load_all does, but into nowhere: counts, and a line to call->note for each
   finding. */
int32_t load_check(struct store *store, struct dray_call *call, struct dray_tend *tend);

#endif
