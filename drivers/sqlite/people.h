/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that people ask for. */
#ifndef SQLITE_PEOPLE_H
#define SQLITE_PEOPLE_H

#include "dray/driver.h"

/* change.c */
int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change);

/* look.c: reads in one snapshot, without the driver's lock */
int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter);
int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);

/* tend.c */
int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend);

#endif
