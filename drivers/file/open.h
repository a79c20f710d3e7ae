/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_OPEN_H
#define FILE_OPEN_H

#include "dray/driver.h"

/* open and close of the driver; see dray/driver.h. */
int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host);
void store_close(void *self);

#endif
