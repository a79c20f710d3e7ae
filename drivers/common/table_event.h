/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the jobs of a table: told to a store that writes it down, and done again in
 * another table by who reads it.
 *
 * An event says how things are afterwards, not which call led there. So it can be done again even
 * where an earlier one is missing, and two tables that have seen the same events in the same order
 * hold the same jobs in the same order. One thread at a time.
 */
#ifndef DRIVERS_COMMON_TABLE_EVENT_H
#define DRIVERS_COMMON_TABLE_EVENT_H

#include "common/table.h"
#include "dray/driver.h"

enum {
    TABLE_PUSH = 1, /* a new job, counted as pushed; all of it is given */
    TABLE_JOB,      /* the same for one restored, or copied from another table: not counted */
    TABLE_LEASE,    /* handed out: token, owner, until_ms */
    TABLE_EXTEND,   /* until_ms, and a progress if it is not empty */
    TABLE_DONE,     /* gone; kept if the state is DRAY_STATE_DONE */
    TABLE_AGAIN,
    TABLE_RELEASE,
    TABLE_REPEAT,
    TABLE_BURY,
    TABLE_EXPIRE, /* its lease ended */
    TABLE_DUE,    /* it fell due */
    TABLE_KICK,
    TABLE_CANCEL,   /* dead */
    TABLE_MARK,     /* to be cancelled, and still active */
    TABLE_REMOVE,   /* gone: by a person, or no longer kept */
    TABLE_QUEUE,    /* a queue exists; paused says how */
    TABLE_RESET,    /* a queue's totals are zero */
    TABLE_TOTALS,   /* totals of one type */
    TABLE_CONSUMER, /* who last looked with room: job.owner, at until_ms (monotonic) */
    TABLE_KINDS
};

#define TABLE_NO_DUE INT64_MIN /* pushed as ready */
#define TABLE_LONG_AGO (INT64_MIN / 4)

struct table_event {
    uint32_t kind;
    uint32_t paused;
    uint32_t uncharged; /* BURY: the attempt was given back */
    uint32_t pad;
    /* queue always, id if it is about a job; state, attempts, releases, token.counter as they are
       now. error, result and progress only if they changed, but all that there are in PUSH and
       JOB. run_at_ms, delay_ms, lease_left_ms and ended_ms are not used. */
    struct dray_job job;
    int64_t due_ms;   /* delayed: on the clock of table_now.due_ms; else when it was due */
    int64_t until_ms; /* active: end of the lease, monotonic; ended: when, wall clock */
    uint64_t run_ms;
    const struct dray_stats_row *totals; /* TOTALS: queue and type are job's */
};

/* Called in the middle of a table operation: it may not call the table. Borrowed for the call. */
typedef void (*table_event_fn)(void *arg, const struct table_event *event);

/* From now on `tell` hears of each event; NULL: nobody. */
void table_listen(struct table *table, table_event_fn tell, void *arg);

/* Does it again, telling nobody. DRAY_NOTFOUND if the job is not there, DRAY_NOMEM; neither changes
   anything. A job that is there already is replaced by PUSH and JOB. */
int32_t table_replay(struct table *table, const struct table_event *event);

/*
 * A copy: tells `tell` the events that make an empty table like this one was when the copy began,
 * a little at each step, while the table goes on. A job that is about to change is told before its
 * turn, so an event may come in the middle of any operation; in return no step looks back. What
 * happens meanwhile is heard by who listens, and is to be done again behind the copy.
 *
 * Queues, totals and the times of delayed jobs are taken at once: a moment for each. One copy at a
 * time. DRAY_OK, DRAY_NOMEM.
 */
int32_t table_copy_begin(struct table *table, table_event_fn tell, void *arg);

/* Tells one job, or passes over one. 0: all have been told. */
int table_copy_step(struct table *table);

/* Ends it, whether all were told or not (then it looks at each job once); nothing if there is none.
 */
void table_copy_end(struct table *table);

/* The job behind a reference that a table operation has given out just now. */
void table_show_ref(
    const struct table *table, const struct table_now *now, uint64_t ref, struct dray_job *job);

#endif
