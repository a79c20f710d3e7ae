/* SPDX-License-Identifier: Apache-2.0 */
/* What was written anew is kept for a while: PATH.1 is the latest, PATH.damaged the last that held
   damage. Called with the lock held; what fails here is a loss of comfort, and logged. */
#ifndef FILE_BACKUP_H
#define FILE_BACKUP_H

#include "file/store.h"

/* Gives the file that is about to be replaced a second name, if it is worth keeping. */
void backup_keep(struct store *store);

/* Deletes the oldest. 0 if there is none. */
int backup_drop_oldest(struct store *store);

#endif
