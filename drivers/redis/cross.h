/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the sets and lists of a queue agree with its records: a part of the check. */
#ifndef REDIS_CROSS_H
#define REDIS_CROSS_H

#include "dray/driver.h"

struct store;

/* Counts what does not agree as damage, a note each. Changes nothing. */
int32_t cross_queue(
    struct store *store, struct dray_call *call, struct dray_tend *tend, struct dray_str queue);

#endif
