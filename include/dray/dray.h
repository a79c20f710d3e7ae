/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dray, a background-job queue: the application interface.
 *
 *     struct dray *dray;
 *     struct dray_error error = DRAY_ERROR_INIT;
 *     if (dray_open(&dray, &(struct dray_options){.config = "queue.yaml"}, &error) != DRAY_OK)
 *         return puts(error.text), 1;
 *     dray_on(dray, "send-welcome", send_welcome, NULL, NULL, &error);
 *     dray_dispatch(dray, "send-welcome", "{\"to\":\"ada@example.org\"}", NULL, NULL, &error);
 *     dray_work(dray, NULL, NULL, &error);
 *
 * Conventions. Functions return DRAY_OK or another code of error.h and, on an error, fill `error`,
 * which may be NULL. Beside the codes that a function names, any may return DRAY_INVALID (a wrong
 * argument), DRAY_NOMEM, DRAY_FORKED and DRAY_CLOSED, and any that asks the store what the store
 * answers: DRAY_BUSY, DRAY_UNREACHABLE, DRAY_DENIED, DRAY_IO, DRAY_CORRUPT, and, if it changes
 * something, DRAY_FULL, DRAY_UNKNOWN, DRAY_POISONED. Strings are UTF-8 and end in zero; the library
 * copies what it keeps. Option structs may be NULL, and a member that is zero takes its default, so
 * designated initialisers are enough. Durations are milliseconds; wall-clock times are milliseconds
 * since 1970 UTC.
 *
 * Threads. Every function may be called from any thread, except where it says otherwise; closing an
 * instance while another thread is inside a call on it is an error of the program. An instance is
 * not usable in a child after fork: everything answers DRAY_FORKED there. The child may open
 * instances of its own.
 *
 * The library installs no signal handlers, changes no locale, umask or environment.
 */
#ifndef DRAY_H
#define DRAY_H

#include "dray/clock.h"
#include "dray/error.h"
#include "dray/export.h"
#include "dray/tend.h"
#include "dray/version.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dray;         /* an open instance: configuration, driver and handlers together */
struct dray_attempt; /* one delivery of a job, as its handler sees it */
struct dray_driver;  /* dray/driver.h */
struct json_t;       /* jansson.h */

#define DRAY_ID_SIZE 65 /* bytes for an id and its zero */

/* ------------------------------------------------------------------------------------------- */
/* Opening                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* A value laid over the configuration: {"queue.worker.concurrency", "4"}, written as in YAML. */
struct dray_setting {
    const char *key;
    const char *value;
};

enum {
    DRAY_OPEN_NO_ENVIRONMENT = 1, /* ignore QUEUE_DRIVER, .env and ${NAME} of the environment */
    DRAY_OPEN_NO_HANDLERS = 2     /* do not load the handlers that the configuration names */
};

/* Receives the lines of the log. Called from any thread, one line without a newline at a time, also
   while the library holds its locks: it may not call into the instance. The line is valid during
   the call. `level` is 1 debug, 2 info, 3 warning, 4 error. */
typedef void (*dray_log_fn)(void *user, int level, const char *line);

/*
 * How to open. With neither `config` nor `yaml` the instance is made of `driver` and `settings`
 * alone; nothing is searched for (dray_default does that).
 */
struct dray_options {
    const char *config; /* a YAML file */
    const char *yaml;   /* the YAML itself, instead of a file */
    const char *folder; /* what relative paths are relative to; NULL: see docs, the file's folder */
    const char *driver; /* over the file and QUEUE_DRIVER */
    const struct dray_setting *settings; /* [nsettings], over everything else */
    size_t nsettings;
    struct dray_clock *clock; /* NULL: the system's */
    dray_log_fn log;          /* NULL: warnings and errors to standard error */
    void *log_user;
    uint32_t flags;
};

/*
 * Reads the configuration, loads the driver, opens its store and loads the configured handlers.
 * On success *out is an instance for dray_close. Errors: DRAY_CONFIG, DRAY_NOTFOUND (file, driver,
 * module), DRAY_DENIED, DRAY_UNREACHABLE, DRAY_IO, DRAY_CORRUPT, DRAY_UNSUPPORTED, DRAY_INVALID
 * (unknown flags), DRAY_NOMEM.
 */
DRAY_API int dray_open(
    struct dray **out, const struct dray_options *options, struct dray_error *error);

/*
 * Stops the worker if one runs (as dray_worker_stop), closes the store and frees the instance.
 * NULL is allowed. DRAY_BUSY: handlers still run past the shutdown timeout; the instance can no
 * longer be used, and its memory stays until the process ends. DRAY_INVALID, and nothing is closed,
 * from a handler or callback.
 */
DRAY_API int dray_close(struct dray *dray);

/*
 * The instance that the `dray` command would open here: DRAY_CONFIG, else ./config/queue.yaml, else
 * ./queue.yaml. Opened on first use, shared by all callers, closed by dray_default_close, when
 * nobody uses it any more. NULL, and the reason in `error`, if it cannot be opened; the next call
 * tries again. A child after fork gets one of its own.
 */
DRAY_API struct dray *dray_default(struct dray_error *error);
DRAY_API void dray_default_close(void);

/* The path of that configuration into `path` (of `size` bytes). DRAY_NOTFOUND if there is none,
   DRAY_LIMIT if it is longer. */
DRAY_API int dray_find_config(char *path, size_t size, struct dray_error *error);

/*
 * Makes a driver that is linked into the program known under `name`, for all instances opened
 * later; one of that name before it gives way. `driver` must stay valid for good. DRAY_INVALID for
 * a driver that the loader would refuse.
 */
DRAY_API int dray_register_driver(
    const char *name, const struct dray_driver *driver, struct dray_error *error);

/* What is in force: static for the life of the instance. */
struct dray_info {
    const char *driver;      /* name */
    const char *driver_path; /* file it was loaded from; NULL: registered by the program */
    const char *config;      /* path of the configuration; NULL: none */
    const char *durability;  /* "volatile", "process", "host", "replicated" */
    const char *queue;       /* the default queue */
    uint64_t lease_ms;       /* retry_after */
    int shared;              /* other processes may use the store */
    int runs_inline;         /* dispatch runs the job (sync) */
};
DRAY_API const struct dray_info *dray_get_info(const struct dray *dray);

/* ------------------------------------------------------------------------------------------- */
/* Dispatching                                                                                 */
/* ------------------------------------------------------------------------------------------- */

enum {
    DRAY_UNIQUE = 1 /* refuse (DRAY_DUPLICATE) if a job of this type with an equal payload has not
                       ended; equal by canonical JSON: key order and spacing do not matter */
};

/* For new_job.priority: 0 is first, 9 last, 5 if not given. */
#define DRAY_PRIORITY(n) ((n) + 1)

/* A job to dispatch. Only `type` is required. */
struct dray_new_job {
    const char *type;
    const char *payload;   /* one JSON value; NULL: null */
    size_t payload_len;    /* 0: up to the zero */
    const char *queue;     /* NULL: the configured one. In a batch: all the same */
    const char *id;        /* NULL: a fresh UUIDv7. Dispatching an id again is safe */
    const char *name;      /* for people */
    const char *group;     /* for limits per key */
    const char *unique;    /* no other job with this key until this one has ended */
    uint64_t delay_ms;     /* run it after so long */
    int64_t at_ms;         /* or at this wall-clock time; not both */
    uint64_t timeout_ms;   /* 0: the handler's; at most ten years, as delay_ms */
    uint32_t max_attempts; /* 0: the handler's */
    int priority;          /* DRAY_PRIORITY(0) .. DRAY_PRIORITY(9) */
    uint32_t flags;        /* DRAY_UNIQUE */
};

/* What became of a dispatched job. */
struct dray_dispatched {
    int code;              /* DRAY_OK; DRAY_EXISTS (it was there already); DRAY_DUPLICATE;
                              DRAY_CONFLICT; sync: DRAY_FAILED */
    char id[DRAY_ID_SIZE]; /* its id; on DRAY_DUPLICATE that of the job that holds the key */
};

/*
 * Dispatches a job: checks it and stores it before returning. `payload` is one JSON value (NULL:
 * null), `more` the rest of struct dray_new_job (its type and payload are ignored), `out` may be
 * NULL. DRAY_OK and DRAY_EXISTS both mean that the job is kept. DRAY_UNKNOWN: it may be; dispatch
 * the same id again to make sure. DRAY_FULL: try later; the disk, the driver or the queue
 * (queue.limits.capacity) is full. DRAY_DUPLICATE, DRAY_CONFLICT: as `out` says; DRAY_LIMIT: a
 * payload, time or batch beyond its bound; DRAY_UNSUPPORTED: the driver has no priorities or unique
 * keys. On sync the handler runs before this returns: DRAY_OK if it succeeded, DRAY_FAILED and its
 * error if it failed for good.
 */
DRAY_API int dray_dispatch(struct dray *dray, const char *type, const char *payload,
    const struct dray_new_job *more, struct dray_dispatched *out, struct dray_error *error);

/*
 * Dispatches many at once, all or none, into one queue. `out` is NULL or has `n` places, each
 * filled in even if the batch is refused: if that is for some of its jobs, the others have DRAY_OK
 * or DRAY_EXISTS there although nothing was stored; if it is for none of them in particular, all
 * have the batch's code. Errors name the first offender by its index, from 0; otherwise they are
 * those of dray_dispatch.
 */
DRAY_API int dray_dispatch_batch(struct dray *dray, const struct dray_new_job *jobs, size_t n,
    struct dray_dispatched *out, struct dray_error *error);

/* ------------------------------------------------------------------------------------------- */
/* Handlers                                                                                    */
/* ------------------------------------------------------------------------------------------- */

/*
 * Runs one attempt of a job. Return DRAY_OK for success; anything else is a failure, retried as the
 * backoff says until the attempts are used up. dray_attempt_fail, _retry_in, _give_up and
 * _repeat_in say more. Called on an executor's thread (on sync: the dispatcher's); several may run
 * at once. A handler that forks must not return in the child: that process would end there and then
 * (on sync the dispatch answers DRAY_FORKED).
 */
typedef int (*dray_handler_fn)(struct dray_attempt *attempt, void *user);

enum {
    DRAY_BACKOFF_DEFAULT = 0,     /* that of the configuration: queue.job.backoff */
    DRAY_BACKOFF_EXPONENTIAL = 1, /* base x 2^(attempt-1) */
    DRAY_BACKOFF_LINEAR = 2,      /* base x attempt */
    DRAY_BACKOFF_FIXED = 3,       /* base */
    DRAY_BACKOFF_NONE = 4         /* at once */
};

/* How long to wait before the next attempt. */
struct dray_backoff {
    int strategy;
    uint64_t base_ms; /* 0: 1 s */
    uint64_t cap_ms;  /* 0: 1 h */
    double jitter; /* 0 .. 1: the wait is drawn from +- this part of it; below 0: none; 0: 0.25 */
};

/* The wait in milliseconds after `attempt` (from 1) has failed. */
typedef uint64_t (*dray_backoff_fn)(uint32_t attempt, void *user);

/* Defaults of a handler; a job's own values win. */
struct dray_handler_options {
    uint32_t max_attempts; /* 0: queue.job.max_attempts */
    uint64_t timeout_ms;   /* 0: none for C handlers */
    struct dray_backoff backoff;
    dray_backoff_fn backoff_fn; /* over `backoff`; called with `user` of the handler */
};

/*
 * Registers the handler of a type; a later call, or one before the configuration's own, replaces
 * it, also while a worker runs. `fn` NULL removes it; `user` must stay valid as long as a handler
 * may run. DRAY_INVALID for a type that is no name or a backoff that is none.
 */
DRAY_API int dray_on(struct dray *dray, const char *type, dray_handler_fn fn, void *user,
    const struct dray_handler_options *options, struct dray_error *error);

/* Loads a handler module (dray/module.h), or every module of a folder. DRAY_NOTFOUND; DRAY_CONFIG
   or DRAY_UNSUPPORTED for a file that is no module of this version, DRAY_DENIED for one that others
   may write; what the module's own init answers. Modules before the one that failed stay loaded. */
DRAY_API int dray_load_handlers(struct dray *dray, const char *path, struct dray_error *error);

/* What a handler may ask. Strings and JSON live until the handler returns. */
DRAY_API const char *dray_attempt_id(const struct dray_attempt *attempt);
DRAY_API const char *dray_attempt_type(const struct dray_attempt *attempt);
DRAY_API const char *dray_attempt_queue(const struct dray_attempt *attempt);
DRAY_API const char *dray_attempt_name(const struct dray_attempt *attempt); /* "" if none */
DRAY_API uint32_t dray_attempt_number(const struct dray_attempt *attempt);  /* from 1 */
DRAY_API uint32_t dray_attempt_max(const struct dray_attempt *attempt);
DRAY_API const char *dray_attempt_last_error(const struct dray_attempt *attempt); /* "" if none */
/* The payload's bytes, with a zero behind them. `len` may be NULL. */
DRAY_API const char *dray_attempt_payload(const struct dray_attempt *attempt, size_t *len);
/* The payload parsed by jansson; borrowed, parsed on the first call. NULL without memory, and for a
   number that jansson cannot hold (1e400), which dispatch lets pass. */
DRAY_API const struct json_t *dray_attempt_json(struct dray_attempt *attempt);
/* The counter of the token: rises with each delivery of this id, to fence what is touched outside.
 */
DRAY_API uint64_t dray_attempt_fence(const struct dray_attempt *attempt);
/* The instance, to dispatch more jobs from inside the handler. */
DRAY_API struct dray *dray_attempt_dray(struct dray_attempt *attempt);
/* Nonzero once the handler should stop: cancelled by a person, past its time, or the lease is lost.
   May be called from threads that the handler started. */
DRAY_API int dray_attempt_cancelled(const struct dray_attempt *attempt);

/* What a handler may say. Each returns DRAY_OK, or DRAY_LIMIT (too long), DRAY_INVALID (no JSON),
   DRAY_NOMEM or, in a child after fork, DRAY_FORKED, without effect. The text is copied. */
/* Progress, for people; at most 4 KiB; kept with the next renewal and with the outcome. */
DRAY_API int dray_attempt_progress(struct dray_attempt *attempt, const char *text);
/* The result of a success: one JSON value. */
DRAY_API int dray_attempt_result(struct dray_attempt *attempt, const char *json);

/* Verdicts: `return dray_attempt_fail(attempt, "no route to %s", host);`. Each returns a value for
   the handler to return. The last one called wins. */
DRAY_API int dray_attempt_fail(struct dray_attempt *attempt, const char *fmt, ...)
    DRAY_PRINTF(2, 3);
/* Failed; try again after `ms`, whatever the backoff says. Attempts still count. */
DRAY_API int dray_attempt_retry_in(struct dray_attempt *attempt, uint64_t ms, const char *fmt, ...)
    DRAY_PRINTF(3, 4);
/* Failed for good: to the dead jobs at once. */
DRAY_API int dray_attempt_give_up(struct dray_attempt *attempt, const char *fmt, ...)
    DRAY_PRINTF(2, 3);
/* Succeeded, and the same job runs again after `ms` with its attempts at 0. */
DRAY_API int dray_attempt_repeat_in(struct dray_attempt *attempt, uint64_t ms);

/* ------------------------------------------------------------------------------------------- */
/* Working                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* What a callback is told. Valid during the call. */
struct dray_event {
    struct dray *dray;
    const char *id, *type, *queue, *name; /* of the job; NULL in events of the worker */
    uint32_t attempt, max_attempts;
    uint64_t run_ms;      /* how long the handler ran */
    const char *result;   /* on_job_complete: JSON or NULL */
    const char *error;    /* on_job_error, on_job_dead, on_error */
    int code;             /* on_error: the code */
    int will_retry;       /* on_job_error: 1 */
    uint64_t retry_in_ms; /* on_job_error */
};

typedef void (*dray_event_fn)(const struct dray_event *event, void *user);

/*
 * The life of a worker. on_job_start runs on the executor before the handler; the first jobs may
 * begin before on_start does. All others run one at a time on one thread, after the store has given
 * its definite answer. They may dispatch jobs and ask the instance, but not stop or close it
 * (dray_worker_request_stop is allowed). What they do changes no job's fate.
 */
struct dray_callbacks {
    dray_event_fn on_start;
    dray_event_fn on_stop;
    dray_event_fn on_job_start;
    dray_event_fn on_job_complete;
    dray_event_fn on_job_error; /* failed, will be tried again */
    dray_event_fn on_job_dead; /* failed for good: attempts used up, given up, expired, cancelled */
    dray_event_fn on_error; /* of the worker itself: store away, outcome refused, stuck handler */
    void *user;
};

enum {
    DRAY_WORK_UNTIL_EMPTY = 1, /* stop when no queue has a job that is ready, active or waiting for
                                  a retry; jobs scheduled for later, parked types and paused queues
                                  do not hold it */
    DRAY_WORK_NO_DELAY = 2     /* `delay_ms` 0 is meant, not the configuration's */
};

/* Zero: the value of queue.worker in the configuration. */
struct dray_worker_options {
    uint32_t concurrency;      /* jobs at a time, at most 1024 */
    uint64_t max_jobs;         /* stop after so many started attempts */
    uint64_t timeout_ms;       /* stop after so long */
    uint64_t delay_ms;         /* pause of an executor between two jobs */
    const char *const *queues; /* [nqueues], in order of preference */
    size_t nqueues;
    uint64_t poll_interval_ms; /* 100 to 1000 */
    uint32_t prefetch; /* jobs reserved beyond what executors can start at once; 0: automatic */
    uint64_t shutdown_timeout_ms;
    const char *isolation; /* "thread"; "process" is DRAY_UNSUPPORTED in this version */
    uint32_t flags;
    struct dray_callbacks callbacks;
};

/* What a worker did. */
struct dray_work_report {
    uint64_t processed; /* attempts started */
    uint64_t succeeded;
    uint64_t failed; /* attempts that failed, dead jobs included */
    uint64_t dead;
    uint64_t running; /* handlers that still run after the shutdown timeout */
    uint64_t lost;    /* outcomes that the store refused or that could not be written */
    uint64_t scheduled,
        parked;      /* left behind by UNTIL_EMPTY: waiting for their time; of unknown type */
    uint64_t paused; /* queues that were paused at the end */
};

/*
 * Works in the foreground until stopped, or until max_jobs, timeout or an empty queue say so.
 * DRAY_OK in all these cases; DRAY_POISONED if the store failed for good; DRAY_CONFLICT if this
 * instance already has a worker; DRAY_INVALID on sync (jobs run when dispatched) and for options
 * out of range; DRAY_UNSUPPORTED for DRAY_WORK_UNTIL_EMPTY with a driver that has no stats.
 * `report` may be NULL. Not from a handler or callback.
 */
DRAY_API int dray_work(struct dray *dray, const struct dray_worker_options *options,
    struct dray_work_report *report, struct dray_error *error);

/* Starts a worker in the background, with the errors of dray_work. One worker an instance. */
DRAY_API int dray_worker_start(
    struct dray *dray, const struct dray_worker_options *options, struct dray_error *error);

/*
 * Stops the background worker: nothing new is reserved, running handlers get the shutdown timeout,
 * what was not started is handed back. DRAY_OK with `report->running` handlers that would not end
 * (their leases expire); the same answer if no worker runs. DRAY_POISONED if the store has failed
 * for good. DRAY_INVALID from a handler or callback, which would wait for itself.
 */
DRAY_API int dray_worker_stop(
    struct dray *dray, struct dray_work_report *report, struct dray_error *error);

/* Waits until the background worker has stopped by itself (max_jobs, timeout, until empty), and
   answers as dray_worker_stop. */
DRAY_API int dray_worker_wait(
    struct dray *dray, struct dray_work_report *report, struct dray_error *error);

/* Asks any worker of the instance to stop, and returns at once. From any thread, handlers and
   callbacks included; not from a signal handler. */
DRAY_API void dray_worker_request_stop(struct dray *dray);

/* Stops and restarts reserving, without stopping the worker: nothing new starts meanwhile. */
DRAY_API void dray_worker_hold(struct dray *dray, int hold);

/* A glance at the worker, for logs. Zeros if none runs. */
struct dray_worker_state {
    uint32_t executors, running, reserved, stuck;
    int stopping, held;
    int consuming; /* it looked for work within the last 30 s, or holds a job */
    uint64_t processed, succeeded, failed, dead, lost;
    int64_t last_look_age_ms; /* -1: never */
    char last_error[512];     /* of the store, "" if none since it last answered */
};
DRAY_API void dray_worker_get_state(struct dray *dray, struct dray_worker_state *out);

/*
 * Processes exactly one ready job on the calling thread and returns: for tests, step by step. A job
 * that is out of attempts, or cancelled, is buried without being run, and was the one. Jobs of
 * unknown types before it are parked. The event callbacks of `options` run on this thread too.
 * DRAY_EMPTY if nothing is ready. What became of the job is in `report`. Not while a worker runs
 * (DRAY_CONFLICT).
 */
DRAY_API int dray_work_one(struct dray *dray, const struct dray_worker_options *options,
    struct dray_work_report *report, struct dray_error *error);

/*
 * Runs `fn(arg)` on an executor of the background worker, ahead of jobs, and waits for it; *result
 * is what it returned. Nothing is stored. DRAY_INVALID if no worker runs; DRAY_CLOSED if it stopped
 * before it came to `fn`; on sync `fn` runs here and now. From a handler, a callback or such a
 * function it runs at once on that thread.
 */
DRAY_API int dray_run_inline(
    struct dray *dray, int (*fn)(void *arg), void *arg, int *result, struct dray_error *error);

/* ------------------------------------------------------------------------------------------- */
/* Looking                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* A stored job. Strings are NULL where they do not apply; times are wall clock, 0 where not. */
struct dray_job_info {
    const char *id, *queue, *type, *state; /* state: "ready", "delayed", "active", "dead", "done" */
    const char *name, *unique_key, *group, *owner;
    const char *payload; /* with a zero behind it */
    size_t payload_len;
    const char *last_error, *result, *progress;
    uint32_t priority, attempts, releases, max_attempts;
    int cancelled; /* active and marked */
    uint64_t timeout_ms;
    int64_t created_ms, run_at_ms;
    int64_t lease_until_ms; /* of an active job; if it has ended: when the job was looked at */
    int64_t ended_ms;
    uint64_t fence; /* dray_attempt_fence of its last delivery */
};

/* Which jobs. Zero members do not restrict. */
struct dray_list_options {
    const char *queue, *type;
    const char *state; /* as in dray_job_info; several joined by commas */
    const char *id;
    int64_t since_ms; /* created at or after */
    uint64_t limit;   /* 0: all */
};

/* Returns 0 to go on, else the listing stops and returns that value. */
typedef int (*dray_job_fn)(const struct dray_job_info *job, void *user);

/* Shows jobs, oldest first where the store has that order. `each` may call into the instance; the
   job is valid during its call. DRAY_INVALID for a state that there is none of, DRAY_NOTFOUND for a
   name that nothing can have, DRAY_UNSUPPORTED if the driver has no list. */
DRAY_API int dray_list(struct dray *dray, const struct dray_list_options *options, dray_job_fn each,
    void *user, struct dray_error *error);

/* Everything about one job. `queue` NULL: all queues; DRAY_CONFLICT if two have the id,
   DRAY_NOTFOUND if none has. The job is for dray_job_info_free, which takes NULL too. */
DRAY_API int dray_get(struct dray *dray, const char *queue, const char *id,
    struct dray_job_info **out, struct dray_error *error);
DRAY_API void dray_job_info_free(struct dray_job_info *job);

struct dray_queue_stats {
    const char *name;
    uint64_t ready, delayed, retrying, parked, active, dead, done;
    int paused;
    int consumed;                /* somebody works on it (seen within 30 s, or holds a lease) */
    const char *consumer;        /* host:pid, or NULL */
    int64_t consumer_age_ms;     /* -1: never seen */
    int64_t oldest_ready_age_ms; /* -1: none or unknown */
};

struct dray_type_stats {
    const char *type;
    uint64_t queued, completed, failed, retried, dead;
    uint64_t runs, run_ms;
};

/* Counts and totals of all queues. Totals count from the last reset. */
struct dray_stats {
    const struct dray_queue_stats *queues;
    size_t nqueues;
    const struct dray_type_stats *types; /* by name */
    size_t ntypes;
    uint64_t pushed, completed, failed, retried, dead; /* totals: pushed is "total queued" */
    uint64_t processing;                               /* now */
    double success_rate, failure_rate;                 /* of attempts; below 0: none yet */
    double average_processing_time_ms;                 /* below 0: none yet */
};

/* Stats of one queue, or of all (NULL). The result is for dray_stats_free, which takes NULL too.
   DRAY_UNSUPPORTED if the driver has no stats. */
DRAY_API int dray_get_stats(
    struct dray *dray, const char *queue, struct dray_stats **out, struct dray_error *error);
DRAY_API void dray_stats_free(struct dray_stats *stats);

enum {
    DRAY_HEALTH_OK = 0,      /* consuming */
    DRAY_HEALTH_WARNING = 1, /* slow, blocked or paused, or a threshold of queue.health passed */
    DRAY_HEALTH_CRITICAL = 2 /* nobody consumes, or the backend is away */
};

/* One line a finding, worst first. */
struct dray_health {
    int status;
    char lines[8][256];
    size_t nlines;
};

/* Compares stats with queue.health. Returns DRAY_OK also when the health is bad; an error of the
   store counts as critical. DRAY_UNSUPPORTED if the driver has no stats. */
DRAY_API int dray_check_health(
    struct dray *dray, struct dray_health *out, struct dray_error *error);

/* ------------------------------------------------------------------------------------------- */
/* Mending                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* kick, cancel, remove, pause, resume, reset: DRAY_UNSUPPORTED if the driver has no `change`. */

/* Each of these names a job by its id; `queue` NULL looks in all queues (DRAY_CONFLICT if it is in
   two). DRAY_NOTFOUND if there is none. */

/* A dead or delayed job becomes ready now; a ready one stays as it is. DRAY_CONFLICT if it runs or
   is done, DRAY_DUPLICATE if another job holds its unique key by now. */
DRAY_API int dray_kick(
    struct dray *dray, const char *queue, const char *id, struct dray_error *error);
/* A waiting job becomes dead as "cancelled"; a running one is told. DRAY_CONFLICT if it has ended.
 */
DRAY_API int dray_cancel(
    struct dray *dray, const char *queue, const char *id, struct dray_error *error);
/* Gone without a trace; a running one (DRAY_CONFLICT) only with `force`. */
DRAY_API int dray_remove(
    struct dray *dray, const char *queue, const char *id, int force, struct dray_error *error);

/* The same for all jobs that match; *count is how many changed. Kicking looks at dead jobs unless
   `which` names a state. Removing refuses `which` NULL (DRAY_INVALID): an empty struct says all. */
DRAY_API int dray_kick_all(struct dray *dray, const struct dray_list_options *which,
    uint64_t *count, struct dray_error *error);
DRAY_API int dray_remove_all(struct dray *dray, const struct dray_list_options *which,
    uint64_t *count, struct dray_error *error);

/* Removes `n` jobs of one queue by their ids, a slice at a time. `answers` has `n` places: for each
   job DRAY_OK, DRAY_NOTFOUND, DRAY_CONFLICT (it runs, and stays) or, if its slice failed or was not
   come to, the code that is returned. DRAY_INVALID for a name that nothing can have. */
DRAY_API int dray_remove_batch(struct dray *dray, const char *queue, const char *const *ids,
    size_t n, int *answers, struct dray_error *error);

/* A paused queue hands out nothing, in any process, until resumed. */
DRAY_API int dray_pause(struct dray *dray, const char *queue, struct dray_error *error);
DRAY_API int dray_resume(struct dray *dray, const char *queue, struct dray_error *error);

/* Puts expired leases back now; *count is how many were (within what stats can tell). `queue` NULL:
   all. Workers do it by themselves. */
DRAY_API int dray_sweep(
    struct dray *dray, const char *queue, uint64_t *count, struct dray_error *error);

/* Sets the totals to zero; `queue` NULL: of all queues. */
DRAY_API int dray_reset_totals(struct dray *dray, const char *queue, struct dray_error *error);

enum {
    DRAY_RESTORE_CHECK = 1 /* say what is wrong with the jobs, store nothing */
};

/*
 * Takes in jobs as dray_list and dray_get show them, from another store or from before a loss, with
 * all that they have lived through: state, attempts, releases, fence, error, result, progress,
 * times. An active job arrives as ready, its attempt counted. All of one queue, all or none; totals
 * do not count them. What has no meaning here (owner, lease) is ignored; created_ms 0 is now.
 * DRAY_OK also for jobs that are there already: `out`, NULL or `n` places as in
 * dray_dispatch_batch, says DRAY_EXISTS for them. DRAY_CONFLICT (that id with other content) and
 * DRAY_DUPLICATE (its unique key is held) refuse all, and `out` names the offenders.
 * DRAY_UNSUPPORTED on sync, and where the driver cannot keep what a job has; DRAY_INVALID and
 * DRAY_LIMIT for what no store holds, and for flags that are not known.
 */
DRAY_API int dray_restore(struct dray *dray, const struct dray_job_info *jobs, size_t n,
    uint32_t flags, struct dray_dispatched *out, struct dray_error *error);

/* What dray_tend_store did. Zeros where the driver does not count. */
struct dray_tend_report {
    uint64_t records; /* looked at */
    uint64_t damaged; /* found */
    uint64_t repaired;
    uint64_t bytes_before, bytes_after; /* size of the store */
};

/* Receives one finding, a line without a newline; it is valid during the call. Called on the thread
   of dray_tend_store while that has the store to itself: it may not call into the instance. */
typedef void (*dray_note_fn)(const char *line, void *user);

/*
 * Looks after the store: `what` is DRAY_TEND_CHECK, DRAY_TEND_REPAIR or DRAY_TEND_COMPACT. Whatever
 * else uses the instance waits meanwhile, a worker included, which may lose its leases. `report`
 * and `note` may be NULL. DRAY_OK also if damage was found: see `report`, which is filled in on
 * errors too, as far as it went. DRAY_UNSUPPORTED if the driver has no such care; DRAY_CORRUPT if
 * the damage is beyond it; DRAY_BUSY if others hold the store for ten minutes.
 */
DRAY_API int dray_tend_store(struct dray *dray, uint32_t what, struct dray_tend_report *report,
    dray_note_fn note, void *user, struct dray_error *error);

/* ------------------------------------------------------------------------------------------- */
/* Configuration and drivers, for tools                                                        */
/* ------------------------------------------------------------------------------------------- */

/* One value in force. `origin` says where it comes from: "FILE:LINE", "default", "QUEUE_DRIVER",
   "setting". Secrets show as "***". Valid during the call. */
struct dray_config_row {
    const char *key; /* "queue.sqlite.path" */
    const char *value;
    const char *origin;
};
/* Returns 0 to go on, else it stops and that value is returned. */
typedef int (*dray_config_fn)(const struct dray_config_row *row, void *user);

/* Reads and checks the configuration, driver options and handlers included, without opening the
   store; shows each value if `each` is not NULL. The errors of dray_open that need no store. */
DRAY_API int dray_check_config(
    const struct dray_options *options, dray_config_fn each, void *user, struct dray_error *error);

/* The folder of installed drivers and helper programs: `dray` beside this library. Static. */
DRAY_API const char *dray_folder(void);

/* One driver that was found. */
struct dray_found_driver {
    const char *name;
    const char *path;                 /* NULL: registered by the program */
    const struct dray_driver *driver; /* NULL if it was refused; then `problem` says why */
    const char *problem;
};
/* Returns 0 to go on, as above. */
typedef int (*dray_found_driver_fn)(const struct dray_found_driver *found, void *user);

/* Every driver of the driver folders and every registered one; with a name (or a path with a slash)
   that one alone, DRAY_NOTFOUND if there is none. */
DRAY_API int dray_each_driver(
    const char *name, dray_found_driver_fn each, void *user, struct dray_error *error);

#ifdef __cplusplus
}
#endif

#endif
