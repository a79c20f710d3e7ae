/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver under test, opened on a store of its own and on a clock that is moved by hand, with
 * allocations that can be made to fail. The library finds the driver and reads its options
 * (target.h) and has no part in anything else, so what is proved here is the driver alone. One
 * thread.
 */
#ifndef CONFORMANCE_SUBJECT_H
#define CONFORMANCE_SUBJECT_H

#include "folder.h"
#include "relay.h"
#include "target.h"

#include <stddef.h>

#define SUBJECT_INSTANCES 3u
#define SUBJECT_TEXTS 64u
#define SUBJECT_BUDGET_MS 5000u
#define SUBJECT_WALL_START INT64_C(1700000000000)

/* A copy of a job that the driver has shown. Its strings live until subject_close if it was handed
   out, until the next call that shows something if it was listed. */
struct shown {
    struct dray_job job;
    char *bytes;
};

struct shown_list {
    struct shown *at;
    size_t n, room;
};

/* A copy of a row of stats. */
struct row {
    struct dray_stats_row row;
    char queue[DRAY_NAME_MAX + 1];
    char type[DRAY_NAME_MAX + 1];
    char consumer[DRAY_TEXT_MAX + 1];
};

struct row_list {
    struct row *at;
    size_t n, room;
};

/* The text of an option, as long as the store is. */
struct told {
    char option[64];
    uint32_t index;
    char *text;
};

struct subject {
    const struct target *target;
    const struct dray_driver *driver;
    void *self; /* the instance that calls go to */
    void *selves[SUBJECT_INSTANCES];
    uint32_t ninstances;
    struct dray_host host;
    struct told told[SUBJECT_TEXTS];
    uint32_t ntold;
    char folder[FOLDER_SIZE]; /* "": none yet */
    char word[FOLDER_WORD_SIZE];
    int64_t wall_ms, mono_ms;
    uint64_t allocations;      /* asked for so far */
    uint64_t fail_from;        /* the first that fails, counted from 1; 0: none */
    int fail_on;               /* all later ones fail too */
    uint64_t failures;         /* allocations refused */
    long blocks;               /* not yet freed */
    const struct relay *relay; /* in place of the server; NULL: none */
    int server_clock;          /* the option clock says server, whatever was given */
    int by_turn;               /* operations go through turn, where the driver has it */
    uint64_t nonce;
    uint64_t next_ms;    /* of the last reserve */
    uint32_t budget_ms;  /* of a call, in real time */
    uint32_t wish;       /* durability asked for by open; 0: the driver's choice */
    uint32_t durability; /* in force */
    int32_t code;        /* of the last call */
    struct dray_error error;
    struct shown_list shown; /* by the last reserve or list */
    struct shown_list past;  /* by earlier reserves: leases still point there */
    int listed;              /* `shown` is of a list: nothing points there for long */
    struct row_list rows;    /* of the last stats */
};

/* Opens a fresh store. The result is the driver's; subject_close is needed in any case. */
int32_t subject_open(struct subject *subject, const struct target *target);

/* Closes all instances, removes the store and frees everything. */
void subject_close(struct subject *subject);

/* Another instance on the same store, which calls go to from now on. */
int32_t subject_open_another(struct subject *subject);
/* Calls go to this instance, counted from 0 in the order of opening. */
void subject_use(struct subject *subject, uint32_t instance);

/* Closes all instances and leaves the store as it is; subject_open_another opens it again, also in
   a child of this process. What was shown stays. */
void subject_leave(struct subject *subject);

/* Where the driver's server is, as far as the options tell. */
struct relay_server subject_server(const struct subject *subject);

/* From the next opening on the driver goes by the clock of its server. 0 if no option says so. */
int subject_use_server_clock(struct subject *subject);

/* Time passes. */
void subject_advance(struct subject *subject, int64_t ms);

struct dray_str str(const char *text);
int str_is(struct dray_str a, const char *text);
int str_same(struct dray_str a, struct dray_str b);

/* A job with an id, for the queue "q" and of the type "t", ready at normal priority. */
struct dray_job job_of(const char *id);

/*
 * One group. `answers` ([n]) and `holders` may be NULL. Returns the group's code.
 */
int32_t subject_push(struct subject *subject, const struct dray_job *jobs, uint32_t n,
    uint32_t flags, int32_t *answers, char (*holders)[DRAY_NAME_MAX + 1]);
int32_t subject_push_group(struct subject *subject, struct dray_push *group);

/* One job; its own answer, or the group's code if that says more. */
int32_t subject_push_one(struct subject *subject, struct dray_job job);

/* What is handed out goes to subject->shown. `want` is completed: size, nonce (unless set), owner,
   keep (everything, unless keep_max is set). */
int32_t subject_reserve_want(struct subject *subject, struct dray_reserve *want);
/* Of the queue "q". */
int32_t subject_reserve(struct subject *subject, uint32_t max, uint64_t lease_ms);
/* The same; the job handed out, or one without an id if it is not exactly one. */
struct dray_job subject_take(struct subject *subject, uint64_t lease_ms);

/* The lease of a job as shown; its strings are borrowed. */
struct dray_lease lease_of(const struct dray_job *job, uint32_t verdict);
int32_t subject_settle(struct subject *subject, struct dray_lease lease);
int32_t subject_settle_all(
    struct subject *subject, const struct dray_lease *const *leases, int32_t *answers, uint32_t n);
int32_t subject_extend(struct subject *subject, struct dray_lease lease, uint64_t lease_ms);
int32_t subject_extend_all(
    struct subject *subject, const struct dray_lease *const *leases, int32_t *answers, uint32_t n);

/* A whole turn, as given. */
int32_t subject_turn(struct subject *subject, struct dray_turn *turn);

/* A change of one job, or of a queue if `id` is NULL. */
int32_t subject_change(
    struct subject *subject, uint32_t what, const char *queue, const char *id, uint32_t flags);

/* Everything that passes the filter, in calls of `page` jobs, to subject->shown. */
int32_t subject_list(struct subject *subject, struct dray_filter *filter, uint32_t page);
/* One call of it: `filter` says how many and where to go on. */
int32_t subject_list_page(struct subject *subject, struct dray_filter *filter);
/* The job of that id in the queue "q", or one without an id. */
struct dray_job subject_find(struct subject *subject, const char *id);

/* Rows of all queues (n 0) or of some, to subject->rows. */
int32_t subject_stats(struct subject *subject, const struct dray_str *queues, uint32_t n);
/* A row of the last stats; a row of zeros if it was not given. */
const struct dray_stats_row *subject_row(
    struct subject *subject, const char *queue, const char *type);

/* DRAY_TEND_; what it found goes to *found. */
int32_t subject_tend(struct subject *subject, uint32_t what, struct dray_tend *found);

/* The descriptor of the instance's bell, for one queue. */
int32_t subject_watch(struct subject *subject, const char *queue, int32_t *fd);

void shown_free(struct shown_list *list);

#endif
