/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, and telling our database from others. */
#ifndef SQLITE_SCHEMA_H
#define SQLITE_SCHEMA_H

#include "sqlite/store.h"

#define SCHEMA_APPLICATION 0x44524159 /* "DRAY", in the database's header */
#define SCHEMA_VERSION 1

/* Reads what database this is and writes nothing. *fresh: an empty one. Refuses another program's
   (DRAY_CONFIG), a newer version's (DRAY_UNSUPPORTED), and one of ours whose tables are not as we
   made them (DRAY_CORRUPT). */
int32_t schema_check(struct store *store, struct dray_call *call, int *fresh);

/* Makes the tables of a fresh database, in one transaction. */
int32_t schema_create(struct store *store, struct dray_call *call);

#endif
