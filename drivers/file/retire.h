/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a large file that has no name any more: the system gives back its space in that call,
 * which takes as long as a tenth of a second for some hundred megabytes. So that nobody waits for
 * it under the lock, a thread of its own does that.
 */
#ifndef FILE_RETIRE_H
#define FILE_RETIRE_H

#include "file/store.h"

/* Closes `fd`, sooner or later. */
void retire_file(struct store *store, int fd);

/* Waits until that is done. */
void retire_wait(struct store *store);

#endif
