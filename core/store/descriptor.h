/* SPDX-License-Identifier: Apache-2.0 */
/* Is what a driver's entry function returned a driver that this library can use? */
#ifndef CORE_STORE_DESCRIPTOR_H
#define CORE_STORE_DESCRIPTOR_H

#include "dray/driver.h"

/*
 * Checks `theirs` - magic, ABI, size, required operations, identity, limits, option table, in this
 * order - and copies it into *ours, zeroed beyond its size. The strings and the option table stay
 * the driver's. DRAY_UNSUPPORTED for another ABI, else DRAY_CONFIG; the text has no subject: put
 * the driver's name in front.
 */
int descriptor_check(
    const struct dray_driver *theirs, struct dray_driver *ours, struct dray_error *error);

/* The row of the option table at `index`; rows are as long as the driver says. */
const struct dray_option *descriptor_option(const struct dray_driver *driver, uint32_t index);

#endif
