/* SPDX-License-Identifier: Apache-2.0 */
/* Turning a turn into the plan of its script. */
#ifndef REDIS_PLAN_H
#define REDIS_PLAN_H

#include "dray/driver.h"

struct store;

/*
 * Packs a turn into store->plan and gathers its queues. `registered` is where the plan says that
 * unregistered queues have been registered. Groups that are too large are left out: their code says
 * so. DRAY_LIMIT if there are too many queues.
 */
int32_t plan_turn(struct store *store, struct dray_call *call, const struct dray_turn *turn,
    uint64_t *registered);

/* The same for a turn that is nothing but pushes, which scripts/append.lua may be able to do; 0 if
   it certainly cannot. */
int plan_append(struct store *store, const struct dray_turn *turn);

/* The same for a turn that is more than that, and scripts/plain.lua. */
int plan_plain(struct store *store, const struct dray_turn *turn);

#endif
