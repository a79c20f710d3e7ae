/* SPDX-License-Identifier: Apache-2.0 */
/* Time, interruption, and order statistics of what was measured. */
#ifndef BENCH_STOPWATCH_H
#define BENCH_STOPWATCH_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ull

/* Monotonic nanoseconds. Any thread. */
uint64_t stopwatch_ns(void);

/* Time that passed and processor time that all threads used, both in nanoseconds. */
struct lap {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

struct lap stopwatch_start(void);
/* Since `start`. */
struct lap stopwatch_since(const struct lap *start);

/* values[0]: things a second; values[1]: nanoseconds of processor time each. */
void stopwatch_rates(double *values, uint64_t count, const struct lap *spent);

/* After this, SIGINT and SIGTERM are noted instead of ending the program, so that it can still
   remove what it made. */
int stopwatch_catch_signals(void);
int stopwatch_interrupted(void);

/* Sorts `values` and gives the value at `part` (0 .. 1) of the order, by the nearest rank; 0 if
   there are none. */
double stopwatch_quantile(double *values, size_t n, double part);

#endif
