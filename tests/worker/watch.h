/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time that was taken, less what the machine was away. On a busy machine every thread now and then
 * waits for its turn far longer than anything under test takes; a thread of our own that sleeps and
 * wakes all the time sees that happen, and a bound is held against what is left.
 */
#ifndef TESTS_WORKER_WATCH_H
#define TESTS_WORKER_WATCH_H

#include <stdint.h>

struct watch {
    int64_t started_ms, away_ms;
};

struct watch watch_start(void);

/* Milliseconds since then; at least 0. From any thread. */
int64_t watch_ms(const struct watch *watch);

/* What the machine was away since then. */
int64_t watch_away_ms(const struct watch *watch);

#endif
