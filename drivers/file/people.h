/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of people: changing, looking, tending; see dray/driver.h. */
#ifndef FILE_PEOPLE_H
#define FILE_PEOPLE_H

#include "dray/driver.h"

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change);
int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter);
int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);
int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend);

#endif
