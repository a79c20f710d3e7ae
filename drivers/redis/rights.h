/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user of a connection may do. Scripts check what they are given before they write, but
 * nothing tells a script what its user may not do, and one that is stopped halfway leaves a job
 * without its place in a list.
 */
#ifndef REDIS_RIGHTS_H
#define REDIS_RIGHTS_H

#include "dray/driver.h"

struct store;

/* Asks the server what it would refuse of all that scripts do to the queue that is configured, in
   one round trip. DRAY_DENIED names it. For other queues scripts ask before they write. The scripts
   must have been loaded. */
int32_t rights_check(struct store *store, struct dray_call *call);

#endif
