/* SPDX-License-Identifier: Apache-2.0 */
/* Time, interruption, and order statistics of what was measured. */
#ifndef BENCH_STOPWATCH_H
#define BENCH_STOPWATCH_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ull

/* Monotonic nanoseconds. Any thread. */
uint64_t stopwatch_ns(void);

/* Things a second; 0 if no time has passed. */
double stopwatch_rate(uint64_t count, uint64_t elapsed_ns);

/* After this, SIGINT and SIGTERM are noted instead of ending the program, so that it can still
   remove what it made. */
int stopwatch_catch_signals(void);
int stopwatch_interrupted(void);

/* Sorts `values` and gives the value at `part` (0 .. 1) of the order, by the nearest rank; 0 if
   there are none. */
double stopwatch_quantile(double *values, size_t n, double part);

#endif
