/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of an instance: the system's (clock == NULL) or one moved by hand (dray/clock.h). */
#ifndef CORE_HOST_CLOCK_H
#define CORE_HOST_CLOCK_H

#include "dray/clock.h"

#include <pthread.h>

int64_t clock_wall_ms(const struct dray_clock *clock);

/* CLOCK_BOOTTIME: counts suspension, is the same for all processes of a boot. */
int64_t clock_mono_ms(const struct dray_clock *clock);

/* Microseconds of a fast monotonic clock, for measuring runs; a manual clock gives its own. */
uint64_t clock_run_us(const struct dray_clock *clock);

/* Waits on `cond` (initialised by clock_cond_init) until signalled or until the clock shows
   `until_mono_ms` (INT64_MAX: for ever). On a manual clock only a signal ends the wait: whoever
   waits listens to the clock and is signalled when it moves. May wake early; look again. */
int clock_cond_init(pthread_cond_t *cond);
void clock_cond_wait(const struct dray_clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex,
    int64_t until_mono_ms);

/* Waits on `cond` (the same) until signalled or for `us` microseconds that no manual clock moves.
 */
void clock_cond_pause(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t us);

/* Called after each move of a manual clock, on the mover's thread. No-op for the system's. */
struct clock_listener {
    void (*moved)(void *arg);
    void *arg;
    struct clock_listener *next;
};
void clock_listen(struct dray_clock *clock, struct clock_listener *listener);
void clock_unlisten(struct dray_clock *clock, struct clock_listener *listener);

/* Nonzero for a clock moved by hand. */
int clock_is_manual(const struct dray_clock *clock);

/* The id of this boot of the machine ("" if the system does not tell). Static. */
const char *clock_boot_id(void);

#endif
