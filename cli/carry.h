/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs on their way from one store to another, also while workers run on both: for `move`.
 *
 * A queue is paused where it is left, so that nobody takes a job that is on its way. A batch is
 * stored in the new place first and then removed from the old one: whatever ends the command in
 * between, no job is lost, and a second run finds by their ids those that are in both - but for
 * those that workers of the new store have ended meanwhile: they run again.
 */
#ifndef CLI_CARRY_H
#define CLI_CARRY_H

#include <dray/dray.h>

struct cli;

struct carry {
    struct cli *cli;
    struct dray *from;
    struct dray *to;
    uint64_t moved, there, refused; /* stored now; found in the new store; left in the old one */
    uint64_t gone;                  /* stored now, and out of the old one before we came to it */
    uint64_t running;               /* with their workers, in the old one */
    uint64_t left;                  /* came into the old one meanwhile */
    int paused;                     /* a queue of the old store, by us */
    int conflict;                   /* reported: move again */
    int status;                     /* for functions of carry_list to end it with */

    /* private */
    int shown; /* refusals were named before: a further pass meets them again */
    const char *queue;
    size_t n, most, bytes; /* the batch, all of one queue */
    struct dray_job_info **jobs;
    struct dray_job_info *infos;
    struct dray_dispatched *out;
    const char **ids;
    int *answers;
};

/* Room for batches of at most `most` jobs. EXIT_DONE, or the exit status, reported; either way for
   carry_free. */
int carry_init(struct carry *c, size_t most);
void carry_free(struct carry *c);

/* Lists the jobs of a queue in the old store that do not run: no more than there were when it was
   counted, since a producer may be quicker. EXIT_DONE, or the exit status, reported; if `each`
   returns other than 0, c->status. */
int carry_list(struct carry *c, const struct dray_queue_stats *queue, dray_job_fn each);

/* Carries a queue: what is there, and in a few further passes what comes meanwhile. EXIT_DONE, or
   the exit status, reported. */
int carry_queue(struct carry *c, const char *queue);

#endif
