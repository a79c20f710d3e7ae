/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare programs that Dray is measured against, one file each. They do what a program without a
 * queue library would do, and no more: no ids, no leases, no retries, no order of importance.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "contest.h"

/* What a side can do; NULL where it makes no sense. Dray itself is one of these (subject.h). */
struct peer {
    const char *name;
    run_fn dispatch;   /* values 0, 1: jobs/s handed in, processor ns a job; nobody runs them */
    run_fn end_to_end; /* the same from the first handed in to the last one run */
    run_fn drain;      /* the same out of a backlog */
    run_fn pickup;     /* values 0, 1: p50 and p99 in microseconds from dispatch to handler */
    run_fn space;      /* values 0, 1, 2: bytes a waiting job of heap, resident memory, disk */
};

/* The job: 100 bytes of JSON. Every side copies it in. */
#define PEER_PAYLOAD_LEN 100u
extern const char peer_payload[PEER_PAYLOAD_LEN + 1];

/* How long a worker is left alone before the next job of a pick-up run, so that it really sleeps.
 */
void peer_idle_gap(void);

/* Sorts latencies (microseconds) and fills p50 and p99 of a sample. */
void peer_latencies(struct sample *out, double *latencies, size_t n);

extern const struct peer peer_queue;      /* a list behind one mutex and condition variable */
extern const struct peer peer_handoff;    /* one slot, one condition variable: pick-up only */
extern const struct peer peer_glib;       /* GThreadPool */
extern const struct peer peer_uv;         /* libuv's uv_queue_work */
extern const struct peer peer_sqlite_100; /* SQLite alone, claims and acks 100 a transaction */
extern const struct peer peer_sqlite_1;   /* the same, one a transaction */
extern const struct peer peer_append;     /* a log file, one fdatasync a batch of up to 100 */

extern const struct peer peer_redis_100;      /* bare hiredis, several commands a job, 100 a trip */
extern const struct peer peer_redis_variadic; /* the same, few commands for 100 jobs */
extern const struct peer peer_redis_trip;     /* one command a call, and a blocking pop */

extern const struct peer peer_beanstalkd; /* beanstalkd, each job synced */

/* Is the program installed? */
int beanstalkd_is_there(void);

/* The peers that are the limit for such a driver, those not built in left out. Returns how many of
   `out` were filled; `absent` gets the names of the missing ones, joined by commas. */
size_t peers_for(const char *driver, int quick, const struct peer *out[CONTEST_SIDES], char *absent,
    size_t absent_size);

#endif
