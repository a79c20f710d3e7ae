/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker of an instance: executors, a keeper and, if there are callbacks, an event thread.
 *
 * An executor alternates turns and handlers; in steady state no job crosses threads. The keeper
 * does what needs a clock or a descriptor: renewals, time-outs, looks that fall due, the bell of
 * the store, outcomes that must be tried again, the end. Nobody else sleeps with a time-out of the
 * instance's clock, so one that is moved by hand has to wake the keeper alone.
 *
 * No wake-up is lost: the last thing an executor does before it sleeps is a look at the store, with
 * the lock held from the look's answer to the sleep. Whoever pushes afterwards finds it counted in
 * `idle`. An executor that finds somebody else leading may sleep at once if that turn looks for
 * jobs too: what the look leaves behind sets `look` again. Else it leaves `look` set itself; the
 * leader then wakes it.
 *
 * Everything here is guarded by the instance's lock unless it says otherwise.
 */
#ifndef CORE_WORKER_WORKER_H
#define CORE_WORKER_WORKER_H

#include "queue/instance.h"
#include "worker/attempt.h"

#include <stdatomic.h>

#define CHUNK_MAX 32

/* Real time between two looks at least, whatever the store said: it may be wrong. */
#define LOOK_CAP_SHARED_MS 1000
#define LOOK_CAP_MS 10000

/* The jobs that an executor has taken for itself, in order. Others may steal by raising `next`.
   Refilled under the lock by its owner, once `next` has passed `n`. */
struct chunk {
    _Atomic uint32_t next;
    uint32_t n;
    struct dray_attempt *job[CHUNK_MAX];
    uint32_t fill;                 /* counts the fillings */
    uint32_t seen_fill, seen_next; /* what the keeper found at its last check */
    int64_t still_since_ms;        /* real time since which it has found the same */
};

struct executor {
    struct worker *worker;
    pthread_t thread;
    struct chunk chunk;
    struct dray_attempt *finished[CHUNK_MAX]; /* of this chunk: what the executor has run */
    _Atomic uint32_t nfinished;               /* raised by it without the lock */
    uint32_t nhanded;                         /* so many of them are in the inbox */
    int has_thread;                           /* to be joined; dray_work_one lends its own */
    int exited;
    int working;       /* in handlers or a call, without the lock */
    int orphan;        /* nobody waits for it any more */
    uint64_t clock_us; /* private: the last reading, the end of one run and the start of the next */
    uint64_t looked_us;   /* private: when it looked for jobs last */
    uint64_t lingered_at; /* private: `pushes` when it waited for a dispatcher last */
};

/* A function that waits to be run by an executor. */
struct inline_call {
    struct inline_call *next;
    int (*fn)(void *arg);
    void *arg;
    int result;
    int done;
    int refused; /* the worker ended first */
    pthread_cond_t finished;
};

/* The log was told that jobs of this type are parked. */
struct parked_type {
    char type[DRAY_ID_SIZE];
    int64_t quiet_until_ms; /* clock; 0: a free place */
};
#define PARKED_TYPES 8

struct events; /* events.h */

struct worker {
    struct dray *dray;

    /* Options, fixed. */
    uint32_t concurrency;
    uint32_t prefetch; /* UINT32_MAX: automatic */
    uint64_t max_jobs, timeout_ms, delay_ms, poll_interval_ms, shutdown_timeout_ms, grace_ms;
    uint64_t lease_ms;
    struct dray_str *queues;
    uint32_t nqueues;
    int until_empty;
    int once;           /* one job alone: end with it, or at the first look that finds nothing */
    int found_one;      /* once: that job is here */
    uint32_t once_want; /* once: how many to ask for; more while only unknown types come */
    int on_caller;      /* its one executor runs on the thread that asked for one job */
    struct dray_callbacks callbacks;
    int can_extend;

    /* Threads. */
    struct executor *executors; /* [nexecutors], stuck ones and their stand-ins included */
    uint32_t nexecutors, max_executors;
    uint32_t alive; /* executors that have not exited */
    uint32_t stuck;
    pthread_t keeper;
    int keeper_started, keeper_exited;
    int nudge_fd;          /* eventfd: wakes the keeper */
    int watch_fd;          /* the driver's bell, or -1 */
    struct events *events; /* NULL: no callbacks to call */
    struct clock_listener listener;

    /* Sleeping and waking. */
    pthread_cond_t work;     /* an executor may have something to do */
    uint32_t idle;           /* asleep on `work` and not yet woken */
    uint32_t woken;          /* woken, not yet awake */
    uint32_t lingering;      /* of those that sleep: wait for a dispatcher, not for long */
    pthread_cond_t pause;    /* executors between two jobs */
    int spinning;            /* one executor watches `pushes` instead of sleeping */
    _Atomic uint64_t pushes; /* rises with everything that may give an executor work */
    int look;                /* look at the store again before sleeping */
    int looking;             /* the turn under way looks for jobs */
    int sweep;               /* the next turn sweeps even if nobody has room */
    int steal;    /* chunks wait behind a slow handler: idle executors may take from them */
    int watching; /* the keeper sleeps with an eye on the bell */
    int keeper_asleep;
    int nudged;              /* the keeper must look around again before it sleeps */
    int64_t keeper_until_ms; /* clock until which it sleeps */
    int keeper_writes;       /* outcomes wait for it while executors are busy */
    pthread_cond_t ended;    /* something about stopping has changed */

    /* Jobs. */
    struct dray_attempt *held; /* reserved or running or settling */
    uint32_t nheld;
    struct attempt_list ring; /* reserved, in no chunk yet */
    struct attempt_list spare;
    uint32_t running;
    struct inline_call *calls, **last_call;

    /* Looks. */
    int64_t next_look_ms;         /* clock */
    int64_t next_poll_ms;         /* real time */
    int64_t retry_look_ms;        /* real time: not before, once a look has failed */
    int64_t last_look_real_ms;    /* 0: never */
    uint32_t failed_looks;        /* in a row */
    uint64_t replay_nonce;        /* of a reserve whose answer is unknown; 0: none */
    uint32_t replay_want;         /* how many it asked for */
    int crowded;                  /* looks were put off until callbacks have caught up */
    int reported_away;            /* on_error has told that the store is away */
    int away_for_room;            /* a look for jobs has failed since the last that did not */
    int check_empty;              /* an executor found nothing: is there anything left at all? */
    _Atomic uint32_t mean_us_x16; /* moving mean of handler times, in sixteenths of a microsecond */

    /* Warnings. */
    struct parked_type parked[PARKED_TYPES];
    int64_t next_health_ms;
    int last_health;

    /* Ending. */
    _Atomic int stopping;
    int held_back; /* dray_worker_hold */
    int poisoned;
    int expired;          /* the shutdown time is over */
    int joining;          /* somebody takes it down */
    uint32_t users;       /* once taken down: orphans and whoever stops it; the last one frees it */
    int64_t started_ms;   /* clock */
    int64_t cancel_at_ms; /* clock, once stopping: tell the handlers */
    int64_t ends_at_ms;   /* clock, once stopping: give up on them */
    struct dray_error fatal;
    struct dray_work_report report;
    uint64_t seen_started;    /* started_jobs when the keeper last saw the ring move */
    uint64_t checked_started; /* started_jobs at the keeper's last check */
    int64_t ring_still_since_ms;
    int stalled; /* jobs had to be given back: reserve nothing ahead until a handler ends */
    uint64_t started_jobs; /* for max_jobs: running and finished attempts */
    char last_error[512];
};

/* ---- worker.c ---- */

/* Wakes an executor if one sleeps and nobody is coming already. */
void worker_wake(struct worker *worker);

/* Something was changed by this process: wake an executor, now or (`delay_ms` > 0) when it falls
   due. */
void worker_notice(struct worker *worker, uint64_t delay_ms);

/* The same for a push. `seen`: a look in the same turn has found all of it that there is room for.
 */
void worker_notice_push(struct worker *worker, uint64_t delay_ms, int seen);

/* Frees the memory of a worker whose threads have ended. The lock is not held. */
void worker_free(struct worker *worker);

/* Begins to stop; safe to call again. */
void worker_begin_stop(struct worker *worker);

/* The same, with the error that made it necessary. */
void worker_fail(struct worker *worker, const struct dray_error *error);

/* ---- calls.c ---- */

/* Between the two this thread works for the instance: it runs handlers, callbacks and functions of
   its worker, which must not wait for that worker. enter returns what leave is to be given. */
const struct dray *worker_enter(const struct dray *dray);
void worker_leave(const struct dray *before);

/* After each call of the program's code on a worker's thread: ends this process if that code has
   forked and returned in the child. The store and the locks are the parent's (W7), and nobody waits
   for this thread here. */
void worker_end_child(const struct dray *dray);

/* Does this thread run a handler, callback or function of the instance? */
int worker_is_inside(const struct dray *dray);

/* Answers the functions that no executor has taken before the end. */
void calls_refuse(struct worker *worker);

/* ---- look.c: what a turn asks and what it brings ---- */

/* How many jobs a look should ask for now; 0: none. */
uint32_t worker_wants(const struct worker *worker, uint32_t room, uint32_t limit);

/* Fills batch->reserve, and batch->spare with as many attempts; returns how many it asks for. */
uint32_t worker_ask(struct worker *worker, struct batch *batch, uint32_t room);

/* Takes the answer to the look. Returns 1 if it was for jobs and has succeeded. */
int worker_take(struct worker *worker, struct batch *batch);

/* ---- outcome.c ---- */

/* The store's answer to an outcome; the attempt is gone, or in the inbox again. */
void outcome_answered(struct worker *worker, struct dray_attempt *attempt, int32_t answer,
    const struct dray_error *error);

/* The same for a renewal. */
void renewal_answered(
    struct worker *worker, struct dray_attempt *attempt, int32_t answer, int64_t before_ms);

/* Puts an attempt whose verdict is decided into the inbox; after its renewal if one is under way.
 */
void outcome_add(struct worker *worker, struct dray_attempt *attempt);

/* Puts an attempt that was not started into the inbox with its fate. */
void outcome_unstarted(struct worker *worker, struct dray_attempt *attempt, enum attempt_fate fate);

/* Gives up on every outcome that is still unwritten. */
void outcomes_lose(struct worker *worker);

/* Takes an attempt out of what the worker holds, and keeps it for another job. */
void worker_drop(struct worker *worker, struct dray_attempt *attempt);

/* ---- executor.c ---- */

/* What its thread runs; `arg` is the executor. */
void *executor_main(void *arg);

/* What the executor has run so far goes into the inbox, also while it runs the rest of its chunk.
   Under the lock. Returns how many those are. */
uint32_t executor_hand_in(struct executor *e);

/* Starts an executor's thread; 0 if the system gives none. */
int executor_start(struct worker *worker);

/* The body of an executor, on the calling thread. The lock is held. */
void executor_run(struct executor *executor);

/* ---- keeper.c ---- */

/* What its thread runs; `arg` is the worker. */
void *keeper_main(void *arg);

/* Makes the keeper look around now, or not later than the clock shows `until_ms`. */
void keeper_nudge(struct worker *worker);
void keeper_by(struct worker *worker, int64_t until_ms);

/* ---- leftover.c ---- */

/* Looks after the jobs before and behind slow handlers; returns the real time of its next
   check. */
int64_t leftovers_check(struct worker *worker, int64_t real_ms);

/* ---- empty.c ---- */

/* Alone with the driver (the lock is not held): is everything done that UNTIL_EMPTY waits for?
   Fills the report's counts of what is left. 1 yes, 0 no, negative: cannot tell. */
int worker_is_empty(struct worker *worker, struct dray_error *error);

/* Milliseconds of a clock that nobody moves. */
int64_t real_ms(void);

/* `ms` after `now`, which may be "never". */
static inline int64_t time_after(int64_t now, uint64_t ms)
{
    return ms > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (int64_t)ms;
}

#endif
