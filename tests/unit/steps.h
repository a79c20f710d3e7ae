/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiters that try once when they are told to: processes or threads, on a clock of the test's. A
 * nap of drivers/common/gate.c, or a wait for its gate to open, is the end of a step. What is
 * linked with the options of CMakeLists.txt has these in place of the system's; in other respects
 * its locks are real. Failures end the test.
 */
#ifndef TESTS_UNIT_STEPS_H
#define TESTS_UNIT_STEPS_H

#include <pthread.h>
#include <sys/types.h>

/* What a step came to. */
#define STEP_NAPS 'n'
#define STEP_HAS_IT 'h'
#define STEP_BUSY 'b'
#define STEP_GONE 'g' /* it has ended */

struct waiter_run {
    pid_t pid; /* 0: a thread */
    pthread_t thread;
    int running;
    void (*run)(void);
    int go, says;         /* the test's ends of two pipes; -1: closed */
    int told_by, says_to; /* the others */
};

/* Milliseconds; moved by the test alone, between two steps. */
void steps_begin(void);
void steps_end(void);
void steps_advance(int64_t ms);

/* Runs in a process, or a thread, from its first step on. `run` ends in STEP_GONE. */
void steps_start_process(struct waiter_run *waiter, void (*run)(void));
void steps_start_thread(struct waiter_run *waiter, void (*run)(void));

/* Lets it go on to its next word. */
char step(struct waiter_run *waiter);
/* Kills a process; a thread is led to its end, as the clock moves beyond the patience of its waits
   (a minute at most). Safe to call again. */
void steps_stop(struct waiter_run *waiter);

/* For `run`: waits for the next step; ends it. */
void step_be_told(void);
void step_say(char what);

#endif
