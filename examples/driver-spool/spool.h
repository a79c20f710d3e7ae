/* SPDX-License-Identifier: CC0-1.0 */
/* What the parts of the driver share: the open spool, its lock, and how a job changes. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "place.h"
#include "record.h"

struct spool {
    const struct dray_host *host;
    const char *path; /* as configured, for messages */
    int root;
    int lock;  /* the file .lock, which is the marker too; -1: not open */
    char *in;  /* RECORD_MAX bytes that the texts of the job read last are in */
    char *out; /* as many, to compose files in. Taken at open, so that no call lacks memory */
};

/* Takes the lock that all processes share, within the call's budget. */
int32_t spool_begin(struct spool *spool, struct dray_call *call);
void spool_end(struct spool *spool);

/* The error of a call: `sys` is an errno. */
int32_t spool_fail(struct spool *spool, struct dray_call *call, int sys, const char *doing);

/* Reads the job at `place`; its texts live until the next is read. One that is damaged is set
   aside: DRAY_NOTFOUND. */
int32_t spool_read(
    struct spool *spool, struct dray_call *call, const struct place *place, struct dray_job *job);

/*
 * A job changes: first what its file holds, then where the file lies. Each step is one rename(2),
 * and what a process that dies between the two leaves behind is a job at its old place that tells a
 * little more than happened. `old` is what the file held; it is written back if the second step
 * fails.
 */
int32_t spool_change(struct spool *spool, struct dray_call *call, const struct place *from,
    const struct dray_job *old, const struct place *to, const struct dray_job *now);

/* The last place in the row of ready jobs. 0 or an errno. */
int spool_last_ready(struct spool *spool, const char *queue, int64_t *last);

int64_t spool_later(int64_t now, uint64_t ms);
int spool_same(struct dray_str a, struct dray_str b);

/* The operations: push.c, lease.c, list.c. */
int32_t spool_push(void *self, struct dray_call *call, struct dray_push *group);

int32_t spool_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t spool_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t spool_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t spool_list(void *self, struct dray_call *call, struct dray_filter *filter);

#endif
