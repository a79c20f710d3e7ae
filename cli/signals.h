/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals of `work`, taken by one thread with sigwait, so that nothing runs in a signal
 * handler: TERM and INT stop (a second one ends the process at once), TSTP holds, CONT resumes,
 * USR1 asks for the state.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct dray;

struct signals {
    struct dray *dray;
    void (*state)(void *user); /* USR1 */
    void (*tick)(void *user);  /* every tick_ms; NULL: never */
    unsigned tick_ms;
    void *user;
    /* private */
    pthread_t thread;
    sigset_t set;
    atomic_int stopping;
    atomic_int held;
    atomic_int ended;
};

/* Blocks the signals in the calling thread and in all that it starts: before the instance is
   opened, which starts threads. 0, or -1 and errno. */
int signals_block(struct signals *signals);

/* Starts the thread; the members above `private` are set. 0, or -1 and errno. */
int signals_start(struct signals *signals);

/* Passes on what came before there was a worker to hear it. Call it when the worker starts. */
void signals_repeat(struct signals *signals);

void signals_end(struct signals *signals);

#endif
