/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that does as a test says. It keeps its jobs in the memory driver, and can refuse a call,
 * carry it out and deny it, or hold it up until the test lets go. It counts its calls and notices
 * two at once, which the contract forbids.
 *
 * One script for all its instances. Every function may be called from any thread.
 */
#ifndef TESTS_WORKER_SCRIPT_H
#define TESTS_WORKER_SCRIPT_H

#include "dray/driver.h"

enum script_op {
    SCRIPT_PUSH,
    SCRIPT_RESERVE, /* with room; a sweep alone is not counted */
    SCRIPT_SETTLE,
    SCRIPT_EXTEND,
    SCRIPT_CHANGE,
    SCRIPT_LIST,
    SCRIPT_STATS,
    SCRIPT_OPS
};

/* Makes the driver known under these names; once a process.
     slow     waits for I/O: whoever leads a turn releases the lock
     quick    never does
     bare     slow, with the four operations alone, one item a call
     shared   slow, and others may use the store; without `watch` */
void script_register(void);

/* No rules, nothing held, all counts 0. */
void script_reset(void);

/* The next `times` calls of `op` (-1: all) answer `code`; before that they are carried out in the
   store if `done`. What was said before comes first. 0 times: as if nothing had been said. */
void script_say(enum script_op op, int32_t code, int times, int done);

/* Calls of `op` wait inside the driver from now on; script_wait returns once one does, script_go
   lets all pass. */
void script_hold(enum script_op op);
void script_wait(enum script_op op);
void script_go(enum script_op op);

/* Called by each call of `op` before it does anything, on its thread; NULL: no more. */
void script_before(enum script_op op, void (*act)(void));

/* What lists say of active jobs from now on: how long their leases still are. 0: the truth. */
void script_say_lease(uint64_t left_ms);

/* Every turn takes at least so long. */
void script_slow_down(unsigned microseconds);

unsigned script_count(enum script_op op);
unsigned script_turns(void);
unsigned script_overlaps(void);

/* Of the last reserve with room. */
uint32_t script_last_flags(void);
uint64_t script_last_nonce(void);

/* How many pushes carried DRAY_PUSH_RESEND. */
unsigned script_resends(void);

#endif
