/* SPDX-License-Identifier: Apache-2.0 */
/* The host table: what the core does for one driver instance (dray/driver.h, struct dray_host). */
#ifndef CORE_STORE_HOST_H
#define CORE_STORE_HOST_H

#include "config/config.h"
#include "dray/driver.h"
#include "host/clock.h"
#include "host/log.h"

/* First the table, so that a driver's pointer to it is one to us. */
struct store_host {
    struct dray_host table;
    const char *name; /* of the driver, for the log */
    struct dray_clock *clock;
    struct log log;
    struct option_values *values; /* borrowed */
};

/* Fills a host in. `name`, `clock` and `values` are borrowed and must outlive it. */
void store_host_init(struct store_host *host, const char *name, struct dray_clock *clock,
    const struct log *log, struct option_values *values);

#endif
