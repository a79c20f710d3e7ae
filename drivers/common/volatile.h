/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that keep their jobs in the memory of the process: memory, sync and isolate are this
 * source with three entry files, which differ in name and traits.
 */
#ifndef DRIVERS_COMMON_VOLATILE_H
#define DRIVERS_COMMON_VOLATILE_H

#include "common/table.h"
#include "dray/driver.h"

#define VOLATILE_VERSION "0.1.0"
#define VOLATILE_MAX 10000u /* jobs of a group, items of a turn */

struct volatile_store {
    const struct dray_host *host;
    struct table *table;
};

int32_t volatile_open(struct volatile_store *store, struct dray_call *call,
    const struct dray_host *host, const char *driver);
void volatile_close(void *self);
int32_t volatile_push(void *self, struct dray_call *call, struct dray_push *group);
int32_t volatile_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t volatile_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t volatile_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t volatile_turn(void *self, struct dray_call *call, struct dray_turn *turn);
int32_t volatile_change(void *self, struct dray_call *call, const struct dray_change *change);
int32_t volatile_list(void *self, struct dray_call *call, struct dray_filter *filter);
int32_t volatile_stats(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);

extern const struct dray_option volatile_options[1];

/* Defines the entry function of a driver called `label` with the traits `traits`. */
#define VOLATILE_DRIVER(label, line, traits)                                                       \
    static int32_t open_store(void *self, struct dray_call *call, const struct dray_host *host)    \
    {                                                                                              \
        return volatile_open(self, call, host, label);                                             \
    }                                                                                              \
                                                                                                   \
    static const struct dray_driver driver = {                                                     \
        .magic = DRAY_MAGIC,                                                                       \
        .abi = DRAY_ABI,                                                                           \
        .size = sizeof(struct dray_driver),                                                        \
        .instance_size = sizeof(struct volatile_store),                                            \
        .name = (label),                                                                           \
        .version = VOLATILE_VERSION,                                                               \
        .summary = (line),                                                                         \
        .can = DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP | DRAY_CAN_REPLAY |             \
               DRAY_IS_QUICK | (traits),                                                           \
        .max_push = VOLATILE_MAX,                                                                  \
        .max_batch = VOLATILE_MAX,                                                                 \
        .options = volatile_options,                                                               \
        .noptions = sizeof(volatile_options) / sizeof(volatile_options[0]),                        \
        .option_size = sizeof(struct dray_option),                                                 \
        .open = open_store,                                                                        \
        .close = volatile_close,                                                                   \
        .push = volatile_push,                                                                     \
        .reserve = volatile_reserve,                                                               \
        .ack = volatile_settle,                                                                    \
        .retry = volatile_settle,                                                                  \
        .extend = volatile_extend,                                                                 \
        .turn = volatile_turn,                                                                     \
        .change = volatile_change,                                                                 \
        .list = volatile_list,                                                                     \
        .stats = volatile_stats,                                                                   \
    };                                                                                             \
                                                                                                   \
    const struct dray_driver *dray_driver_entry(void)                                              \
    {                                                                                              \
        return &driver;                                                                            \
    }

#endif
