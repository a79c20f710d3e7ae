/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that push, reserve and settle on one store as fast as they can, and a ledger in memory
 * that they share: what each was answered, and who holds what. Their clocks stand still, so no
 * lease ends while they work.
 */
#ifndef CONFORMANCE_CROWD_H
#define CONFORMANCE_CROWD_H

#include "subject.h"

#include <stdatomic.h>

#define CROWD_JOBS 800u

/* What is known of one job. */
struct crowd_job {
    _Atomic uint32_t pushed;  /* push has answered */
    _Atomic uint32_t holder;  /* the worker that has it, counted from 1; 0: none */
    _Atomic uint32_t handed;  /* how often */
    _Atomic uint32_t acking;  /* ack was called */
    _Atomic uint32_t acked;   /* and has answered OK */
    _Atomic uint32_t drained; /* handed out when all was over */
};

struct crowd_ledger {
    struct crowd_job jobs[CROWD_JOBS];
    uint32_t njobs;
    _Atomic uint32_t next_push;
    _Atomic uint64_t moves;  /* calls answered, by all */
    _Atomic int64_t open_us; /* that opening took lately */
    _Atomic uint32_t at_fault;
    char fault[400]; /* the first thing that went wrong */
};

enum { CROWD_LIVES = 0, CROWD_DIES_WORKING, CROWD_DIES_OPENING };

/* NULL without memory. */
struct crowd_ledger *crowd_ledger(uint32_t njobs);
void crowd_free(struct crowd_ledger *ledger);

/* Notes what went wrong, if nothing has yet. */
void crowd_fault(struct crowd_ledger *ledger, const char *fmt, ...) DRAY_PRINTF(2, 3);

/*
 * What each process does, until all is pushed and nothing is left for it. `subject` is closed. One
 * that is doomed dies of SIGALRM before, at a moment that the driver's own speed decides: its timer
 * is set to a random part of the time that its first calls, or the opening by another, took.
 */
void crowd_work(
    struct crowd_ledger *ledger, const struct subject *subject, uint32_t worker, int fate);

/* When all processes have ended: lets every lease expire, takes what is there, and compares. */
void crowd_settle_up(struct crowd_ledger *ledger, struct subject *subject);

#endif
