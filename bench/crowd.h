/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every side shares: dispatcher threads that hand in jobs, and the count of jobs that were
 * handled. Dray and its peers run the very same loops, so that only the queues differ.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "contest.h"
#include "stopwatch.h"

#include <semaphore.h>
#include <stdatomic.h>

/* Hands in `n` jobs at once. 0, or -1 after one line on standard error. Called on several threads
   at once if the load has several dispatchers. */
typedef int (*put_fn)(void *arg, unsigned n);

/* What the dispatchers did. */
struct handed_in {
    uint64_t jobs;
    struct lap spent; /* from the first start to the last end */
};

/* Hands in load->jobs jobs in batches on load->dispatchers threads, until the time limit. One
   dispatcher is the calling thread. -1 if a put failed. */
int crowd_dispatch(const struct load *load, put_fn put, void *arg, struct handed_in *out);

/* Counts handled jobs and lets one thread wait for the last one. */
struct tally {
    _Alignas(64) atomic_uint_fast64_t handled;
    _Alignas(64) atomic_uint_fast64_t expected;
    sem_t reached;
};

void tally_init(struct tally *tally);
void tally_done(struct tally *tally);
void tally_reset(struct tally *tally);
/* A job was handled: the no-op job of all sides. Any thread. */
void tally_hit(struct tally *tally);
/* Waits until `expected` jobs were handled. -1 if none of them moved for 30 seconds. */
int tally_wait(struct tally *tally, uint64_t expected);

#endif
