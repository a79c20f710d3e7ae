/* SPDX-License-Identifier: CC0-1.0 */
/* What people ask for. */
#ifndef POSTGRES_PEOPLE_H
#define POSTGRES_PEOPLE_H

#include <dray/driver.h>

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change);
int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter);
int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);

#endif
