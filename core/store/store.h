/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open driver instance: descriptor, memory, host table. Makes the calls and nothing else: no
 * lock (core/queue/turn.h serialises), no policy.
 */
#ifndef CORE_STORE_STORE_H
#define CORE_STORE_STORE_H

#include "config/config.h"
#include "dray/driver.h"
#include "host/clock.h"
#include "host/log.h"

struct store {
    struct dray_driver driver; /* our copy, zeroed beyond the driver's own size */
    const char *name;
    const char *path; /* file it was loaded from; NULL: registered */
    uint32_t durability;
    void *self;
    /* private: host table, option values */
    struct store_host *host;
};

/* Loads the driver that the configuration names, checks its options and opens it. */
int store_open(struct store **out, const struct config *config, struct dray_clock *clock,
    const struct log *log, struct dray_error *error);
void store_close(struct store *store);

/* As store_open without the open: the driver and its option values, for checking. */
int store_check(
    const struct config *config, dray_config_fn each, void *user, struct dray_error *error);

/*
 * A turn by the driver's `turn`, else by the four operations one after another, split so that no
 * call has more than max_batch items. `call` carries the sinks and the budget; its error is filled
 * for the first part that failed. The result says nothing: see the answers and codes of the turn's
 * parts, which this always fills in.
 */
void store_turn(struct store *store, struct dray_call *call, struct dray_turn *turn);

/* The same for a turn that is one group and nothing else, by the driver's `push`. */
void store_push(struct store *store, struct dray_call *call, struct dray_push *group);

/* Presets a call: size, sinks NULL, next_ms unknown. */
void store_call_init(struct dray_call *call, struct dray_error *error, uint32_t budget_ms);

/* Nonzero if the driver has an optional operation ("extend", "turn", "watch" ...). */
int store_has(const struct dray_driver *driver, const char *operation);

/* driver.h's registry: dray_register_driver and dray_each_driver are implemented beside it. */

#endif
