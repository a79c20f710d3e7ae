/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing; and what the path may be. */
#ifndef SQLITE_OPEN_H
#define SQLITE_OPEN_H

#include "sqlite/store.h"

int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host);
void store_close(void *self);

#endif
