/* SPDX-License-Identifier: Apache-2.0 */
/* What the log hears of records that nobody can have. */
#ifndef REDIS_TOLD_H
#define REDIS_TOLD_H

#include "dray/driver.h"

struct store;

/* So many records are remembered as told of, the latest ones. */
#define TOLD_MOST 256u

struct told {
    uint64_t marks[TOLD_MOST]; /* of queue and id; 0: none */
    uint32_t next;
};

/* One line for a record that makes no sense, the first time that it is met. */
void told_record(struct store *store, struct dray_str queue, struct dray_str id);

/* One line for so many whose names did not come along. */
void told_more(struct store *store, uint64_t n);

#endif
