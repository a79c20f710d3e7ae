/* SPDX-License-Identifier: CC0-1.0 */
/* The tables, and whether a server is one to trust jobs to. */
#ifndef POSTGRES_SCHEMA_H
#define POSTGRES_SCHEMA_H

#include <dray/driver.h>

#define SCHEMA_VERSION 1

struct store;

/* On a fresh connection: looks at the server, and makes the tables where there are none. Refuses a
   schema that is not ours or is of a newer version. */
int32_t schema_greet(struct store *store, struct dray_call *call);

#endif
