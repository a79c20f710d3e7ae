/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of one process before a file that several processes lock: they pass one at a time, so
 * that no more than one of them asks the kernel. Whoever comes when it is open enters; but while
 * some have waited for 20 ms, the first of these is next. Any thread. A fork waits, for a second at
 * most, until all gates are open; in the child they are.
 */
#ifndef DRIVERS_COMMON_GATE_H
#define DRIVERS_COMMON_GATE_H

#include <stdint.h>

/* Who has waited for so long at a gate or a lock is next. */
#define GATE_STARVING_MS 20

struct gate;

/* The gate of a file. Never freed. */
struct gate *gate_of(uint64_t dev, uint64_t ino);

/* Real monotonic time in milliseconds, for budgets alone. */
int64_t gate_clock_ms(void);

/* 0 if the gate did not open before the deadline. */
int gate_enter(struct gate *gate, int64_t deadline_ms);
void gate_leave(struct gate *gate);

/* After `lock_once` has said that a lock is taken: naps between tries, short at first, as a holder
   is usually one fsync away from done. */
void gate_nap(long *nap_ns);

#endif
