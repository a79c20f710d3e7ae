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

/* Tries each command that scripts call in a way that changes nothing, all in one round trip.
   DRAY_DENIED names those that are refused. The layout key must be there. */
int32_t rights_check(struct store *store, struct dray_call *call);

#endif
