/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: everything that changes the store goes through here.
 *
 * No thread owns the driver. Whoever needs it - a dispatcher, an executor with outcomes to write
 * and room for more, the keeper - leads one turn for everybody who waits. While a turn is under way
 * the next pushes and outcomes gather in the inbox; so batches and group commit form under load
 * and vanish when idle. On a quick driver, whose calls are shorter than a hand-over, a dispatcher
 * pushes straight away under the lock.
 */
#ifndef CORE_QUEUE_TURN_H
#define CORE_QUEUE_TURN_H

#include "dray/driver.h"

#include <pthread.h>

struct dray;
struct dray_attempt;

/* At most so many leases and wanted jobs ride in one turn. */
#define TURN_MAX 256

/* A dispatcher's group of jobs, on its stack until `done`. */
struct group {
    struct group *next;
    struct dray_push push;
    struct dray_error *error;
    uint64_t soonest_ms; /* after so long its first job falls due */
    int done;            /* the leader's last touch */
    int sleeping;        /* waits on `wake` */
    int unsure;          /* an earlier try may have landed */
    pthread_cond_t wake;
};

struct attempt_list {
    struct dray_attempt *first, **last;
    uint32_t n;
};

/* What waits for the next turn. */
struct inbox {
    struct group *groups, **last_group;
    uint32_t ngroups;
    struct attempt_list outcomes; /* due now */
    struct attempt_list later;    /* outcomes that wait for a better time */
    struct attempt_list renewals; /* through attempt->next_renewal: they may wait elsewhere too */
};

void inbox_init(struct inbox *inbox);

/* An intrusive list of attempts through attempt->next. */
void list_init(struct attempt_list *list);
void list_add(struct attempt_list *list, struct dray_attempt *attempt);
void list_add_first(struct attempt_list *list, struct dray_attempt *attempt);
struct dray_attempt *list_take(struct attempt_list *list);
/* All of `from`, which is empty then, behind what is in `list`. */
void list_move(struct attempt_list *list, struct attempt_list *from);

/* The list of renewals. */
void renewal_add(struct inbox *inbox, struct dray_attempt *attempt);
struct dray_attempt *renewal_take(struct inbox *inbox);

/* Everything of the turn under way; it belongs to its leader. */
struct batch {
    struct dray_call call; /* first: the sinks get back from it to here */
    struct dray_error error;
    struct dray_turn turn;
    struct dray_reserve reserve;
    int64_t before_ms; /* clock before the call: leases count from here */
    uint32_t limit;    /* items that may still be added */

    struct dray *dray;
    struct attempt_list spare; /* for jobs handed out */
    struct attempt_list taken;

    struct dray_attempt *settled[TURN_MAX];
    const struct dray_lease *settle[TURN_MAX];
    int32_t settle_answers[TURN_MAX];
    struct dray_attempt *renewed[TURN_MAX];
    struct dray_lease renewal[TURN_MAX]; /* copies: the handler may end meanwhile */
    const struct dray_lease *extend[TURN_MAX];
    int32_t extend_answers[TURN_MAX];
    struct group *group[TURN_MAX];
    struct dray_push *push[TURN_MAX];
};

/*
 * Leads one turn: takes what waits in the inbox and, if a worker runs, a look for jobs. `room` is
 * how many jobs the caller could start at once itself. The lock is held, nobody leads; the lock is
 * held again on return.
 */
void turn_lead(struct dray *dray, uint32_t room);

/* Pushes a group and waits for its answer, leading or being led. The lock is not held. Returns the
   group's code; after DRAY_UNKNOWN it sends again for up to 10 s. */
int turn_push(struct dray *dray, struct group *group);

/* Alone with the driver, for calls that are not part of a turn. Between the two the caller may call
   the driver, and must not touch the inbox. Neither holds the lock before nor after. */
void turn_begin_alone(struct dray *dray);
void turn_end_alone(struct dray *dray);

#endif
