/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dray as the thing that is measured: an instance on a queue of its own, which is empty again and
 * removed when the subject is closed.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "crowd.h"
#include "peers.h"

struct dray;

#define SUBJECT_NOOP "bench"        /* a job that does nothing but count */
#define SUBJECT_STAMP "bench-stamp" /* one that also writes down when it began */

/* Where subjects come from. */
struct source {
    const char *config; /* a YAML file; NULL: `driver` alone, on a temporary store */
    const char *driver; /* over the file */
    const char *folder; /* for temporary stores */
};

struct subject {
    struct dray *dray;
    const char *driver; /* name; lives as long as the instance */
    const char *durability;
    char queue[65];
    char store[4096]; /* path of the store's file; "" if it has none */
    char server[512]; /* of Redis, for bare programs (redis_server.h); "" if there is none */
    int temporary;    /* the store goes with the folder */
    int shared;       /* processes share the store */
    int quick;        /* the driver never waits for I/O */
    int runs_inline;  /* dispatch runs the job: no worker */
    int autostart;    /* the worker starts by itself */
    unsigned max_push;
    struct tally tally;
    _Atomic uint64_t stamp_ns; /* when the last stamped job began */
};

/* Opens an instance for benchmarks. -1 after one line on standard error; *code is then the exit
   status that fits. */
int subject_open(struct subject *subject, const struct source *source, int *code);

/* Removes what is left of the queue, and closes. */
void subject_close(struct subject *subject);

/* Hands in `n` jobs at once (put_fn); waits while the store is full or busy. */
int subject_put(void *arg, unsigned n);

/* Runs exactly `jobs` waiting jobs and returns; `spent` may be NULL. -1 if fewer came. */
int subject_drain(struct subject *subject, uint64_t jobs, unsigned executors, struct lap *spent);

/* A worker in the background, on this queue alone. On a driver with one of its own (autostart) both
   do nothing. subject_stop fails if an outcome was lost. */
int subject_start(struct subject *subject, unsigned executors);
int subject_stop(struct subject *subject);

/* Bytes of memory that the Redis server uses; below 0 if there is none that can be asked. */
double subject_server_bytes(const struct subject *subject);

/* Its sides in a contest; load->subject is the subject. */
extern const struct peer peer_dray;

/* One more side: hands in and drains load->jobs on top of what already waits. Values 0 and 1 are
   the jobs a second of each. */
int subject_pass(const struct load *load, struct sample *out);

#endif
