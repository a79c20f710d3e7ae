/* SPDX-License-Identifier: Apache-2.0 */
/* What the server must be before a job is trusted to it, looked at with every connection. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "dray/driver.h"

struct store;

/*
 * On a fresh connection: refuses servers that would lose or forget jobs, notes the durability in
 * force, ends the connection that was given up with a request on the way, claims the prefix or
 * refuses another layout, sees that the user may do what scripts do, loads the scripts. An error is
 * one that was certainly harmless.
 */
int32_t server_greet(struct store *store, struct dray_call *call);

/* Judges the durability asked for against the one in force, at open. */
int32_t server_durability(struct store *store, struct dray_call *call);

/* Puts the name of a queue into the registry, and the layout where it is missing. */
int32_t server_register(struct store *store, struct dray_call *call, struct dray_str queue);

#endif
