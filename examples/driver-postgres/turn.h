/* SPDX-License-Identifier: CC0-1.0 */
/* What workers and dispatchers ask for: turns, each one transaction. */
#ifndef POSTGRES_TURN_H
#define POSTGRES_TURN_H

#include <dray/driver.h>

struct store;

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn);
int32_t turn_push(void *self, struct dray_call *call, struct dray_push *group);
int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t turn_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);

/* The parts, inside a transaction. Each answers in the answers and codes that it is given; another
   result than DRAY_OK undoes the whole turn. */
int32_t part_push(struct store *store, struct dray_call *call, struct dray_push *group);
int32_t part_settle(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer);
int32_t part_extend(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer);
/* The jobs wait in store->held until the commit. */
int32_t part_reserve(struct store *store, struct dray_call *call, const struct dray_reserve *want);

#endif
