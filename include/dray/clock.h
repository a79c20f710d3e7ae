/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that is moved by hand, so that tests of delays, retries and leases take no time.
 *
 *     struct dray_clock *clock = dray_clock_new(1700000000000);
 *     dray_open(&dray, &(struct dray_options){.driver = "memory", .clock = clock}, &error);
 *     ...
 *     dray_clock_advance(clock, 60 * 1000);   // a minute passes; sleeping workers wake up
 *
 * Everything in the instance lives on it: delays, leases, backoff, timeouts, drivers. Only waits
 * for I/O and the time-out of a command that is running use real time. Any thread may call these
 * functions.
 */
#ifndef DRAY_CLOCK_H
#define DRAY_CLOCK_H

#include "dray/export.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dray_clock;

/* A clock that stands still at `wall_ms` (milliseconds since 1970 UTC). NULL without memory.
   Free it after every instance that uses it is closed. */
DRAY_API struct dray_clock *dray_clock_new(int64_t wall_ms);
DRAY_API void dray_clock_free(struct dray_clock *clock);

/* Time passes: both the wall clock and the monotonic one move by `ms` >= 0. Whatever sleeps on the
   clock looks at it again. */
DRAY_API void dray_clock_advance(struct dray_clock *clock, int64_t ms);

/* A person sets the wall clock by `ms`, forwards or back; the monotonic clock stays. */
DRAY_API void dray_clock_step(struct dray_clock *clock, int64_t ms);

/* What the clock shows now: the wall clock, in milliseconds since 1970 UTC. */
DRAY_API int64_t dray_clock_wall_ms(const struct dray_clock *clock);

#ifdef __cplusplus
}
#endif

#endif
