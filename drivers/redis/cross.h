/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the sets and lists of a queue agree with its records: a part of the check. */
#ifndef REDIS_CROSS_H
#define REDIS_CROSS_H

#include "dray/driver.h"

struct store;

/* Where the check of a queue is: the place of scripts/cross.lua, from 1, 0 at the end; and the
   server's cursor there, "0" at first. */
struct cross {
    int64_t place;
    char cursor[24];
};

/* The next part. Counts what does not agree as damage, a note each. Changes nothing. */
int32_t cross_some(struct store *store, struct dray_call *call, struct dray_tend *tend,
    struct dray_str queue, struct cross *at);

#endif
