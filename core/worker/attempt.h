/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One delivery of a job, from the reserve that handed it out to the store's answer to its outcome.
 *
 * Who touches what. Strings, lease and numbers are written before the attempt is handed to an
 * executor and read freely afterwards. `stop_reasons` and the times marked atomic are shared by the
 * executor and the keeper. What the handler says (verdict, error, result, progress) belongs to the
 * executor until the attempt is in the inbox; progress alone is shared with the keeper, under the
 * instance's lock.
 */
#ifndef CORE_WORKER_ATTEMPT_H
#define CORE_WORKER_ATTEMPT_H

#include "dray/dray.h"
#include "dray/driver.h"

#include <stdatomic.h>

struct handler;

/* Why the handler should stop: bits of stop_reasons. */
enum {
    STOP_CANCELLED = 1, /* a person cancelled the job */
    STOP_TIMEOUT = 2,   /* past its time */
    STOP_LEASE = 4,     /* the lease is lost, or its deadline has passed without a renewal */
    STOP_WORKER = 8     /* the worker is about to end */
};

enum attempt_phase {
    ATTEMPT_RESERVED, /* not started */
    ATTEMPT_RUNNING,
    ATTEMPT_SETTLING, /* its outcome is in the inbox or on its way */
};

/* What the handler said; the return value of the handler decides if it said nothing. */
enum attempt_word { WORD_NONE, WORD_FAIL, WORD_RETRY_IN, WORD_GIVE_UP, WORD_REPEAT_IN };

/* What became of it, decided before the outcome is written. */
enum attempt_fate {
    FATE_DONE,
    FATE_AGAIN,
    FATE_DEAD,
    FATE_RELEASED,  /* given back: never started, or stopped with the worker */
    FATE_PARKED,    /* no handler for its type */
    FATE_EXHAUSTED, /* handed out beyond its attempts, not started */
};

#define DELAY_MAX_MS (10ull * 366 * 24 * 3600 * 1000) /* ten years; no wait is longer */

#define ATTEMPT_INLINE 400 /* bytes of strings without another allocation */

struct dray_attempt {
    struct dray_attempt *next;                  /* in whatever list it waits */
    struct dray_attempt *next_renewal;          /* in that of renewals, besides */
    struct dray_attempt *held_next, *held_prev; /* all that the worker holds */
    struct dray *dray;
    struct handler *handler; /* NULL: unknown type */

    /* Of the thread that runs it; see attempt_current. */
    struct dray_attempt *outer; /* whose handler has dispatched this one */
    uintptr_t frame;

    /* As handed out. */
    struct dray_lease lease; /* its strings point into `text` */
    const char *payload;
    const char *name;
    const char *last_error;
    size_t payload_len;
    uint32_t number; /* of this attempt, from 1 */
    uint32_t max_attempts;
    uint32_t releases;
    int marked;          /* cancelled before it was handed out */
    uint64_t timeout_ms; /* 0: none */

    /* Shared with the keeper. */
    _Atomic int phase;
    _Atomic uint32_t stop_reasons;
    _Atomic int64_t times_out_ms; /* 0: never, or not started */
    int cancel_fd;                /* an eventfd while a command runs, else -1; under the lock */
    int64_t deadline_ms;          /* end of the lease as far as we know; under the lock */
    int64_t renew_ms;             /* when to renew; under the lock */
    int renewing;                 /* in the inbox or on its way; under the lock */
    int settle_after_renewal;     /* the outcome waits for the renewal; under the lock */
    int stuck;                    /* past its time and its grace; under the lock */
    struct executor *executor;    /* that runs it; under the lock */

    /* What the handler said. */
    enum attempt_word word;
    enum attempt_fate fate;
    uint64_t word_ms;
    char *error; /* malloced; NULL: none */
    char *result;
    char *progress;     /* under the lock, as is the lease's view of it */
    char *progress_new; /* said while a renewal with the old one was on its way */
    struct json_t *json;
    uint64_t run_us;

    /* The outcome on its way. */
    int unsure;          /* an earlier try may have landed */
    int64_t next_try_ms; /* real time */
    int64_t give_up_ms;  /* clock: the lease is over for ten seconds */
    uint32_t tries;

    char *overflow; /* malloced text that did not fit */
    char text[ATTEMPT_INLINE];
};

/* A fresh attempt, without content. NULL without memory. */
struct dray_attempt *attempt_new(struct dray *dray);

/* Back to fresh, everything it holds freed; ready for another job. */
void attempt_reset(struct dray_attempt *attempt);
void attempt_free(struct dray_attempt *attempt);

/* Copies a job that was handed out. Without memory the attempt keeps id, queue, type and token, and
   payload is NULL: it can only be released. */
void attempt_fill(struct dray_attempt *attempt, const struct dray_job *job);

/* Runs the handler on this thread and decides verdict and fate. No lock is held. `stopping` tells
   whether the worker is about to end. */
void attempt_run(struct dray_attempt *attempt);

/* Fills the lease's verdict for an attempt that was not started. */
void attempt_decide_unstarted(struct dray_attempt *attempt, enum attempt_fate fate);

/* The store has marked the job as cancelled: what was to be tried again is buried. */
void attempt_decide_cancelled(struct dray_attempt *attempt);

/* Adds a reason to stop; wakes a command. The lock is held. */
void attempt_stop(struct dray_attempt *attempt, uint32_t reason);

/* Takes over the progress that was said during a renewal. The lock is held. */
void attempt_fold_progress(struct dray_attempt *attempt);

/* The attempt that this thread runs, or NULL. Frees those whose handlers were left by longjmp. */
struct dray_attempt *attempt_current(void);

/* The wait after a failed attempt: strategy, cap and jitter (worker/backoff.c). */
uint64_t backoff_ms(const struct dray_backoff *backoff, uint32_t attempt);

#endif
