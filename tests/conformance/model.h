/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract as a program: what a store must hold and answer, in arrays and linear scans, so
 * simple that it can be checked against SEMANTICS.md by reading. Shares nothing with any driver.
 *
 * Where the contract leaves a choice, the model takes the driver's answer if it is one of those
 * allowed. What time alone has changed but no reserve has looked at yet is "pending": such a job
 * may be seen either way.
 */
#ifndef CONFORMANCE_MODEL_H
#define CONFORMANCE_MODEL_H

#include "subject.h"

#define MODEL_JOBS 96
#define MODEL_ROWS 32
#define MODEL_TEXT 256

enum { MODEL_UNMARKED = 0, MODEL_MARKED = 1, MODEL_MAYBE_MARKED = 2 };

struct model_job {
    char id[DRAY_NAME_MAX + 1], queue[DRAY_NAME_MAX + 1], type[DRAY_NAME_MAX + 1];
    char group[DRAY_NAME_MAX + 1];
    char name[MODEL_TEXT], unique[MODEL_TEXT], payload[MODEL_TEXT];
    char owner[MODEL_TEXT], error[MODEL_TEXT], result[MODEL_TEXT], progress[MODEL_TEXT];
    uint32_t priority, max_attempts, state, attempts, releases; /* state 0: a free place */
    uint64_t timeout_ms;
    struct dray_token token;
    int64_t due_ms;   /* of a delayed job; monotonic */
    int64_t until_ms; /* of an active job; monotonic */
    int64_t created_ms, ended_ms;
    int marked;  /* MODEL_ */
    int pending; /* due or expired, and nobody has looked since */
    /* When it entered ready, in events of the model: between these two. */
    uint64_t entered_from, entered_to;
};

struct model_row {
    char queue[DRAY_NAME_MAX + 1], type[DRAY_NAME_MAX + 1];
    uint64_t pushed, completed, failed, retried, died, runs, run_ms;
    int paused;
};

struct model {
    uint64_t can; /* the driver's */
    int64_t mono_ms, wall_ms;
    uint64_t event;
    struct model_job jobs[MODEL_JOBS];
    struct model_row rows[MODEL_ROWS];
    size_t nrows;
    char why[512]; /* of the last violation */
};

void model_init(struct model *model, const struct subject *subject);
void model_advance(struct model *model, int64_t ms);

/* Does the driver's answer to a group agree? Applies it if so. 0 and `why` if not. */
int model_push(struct model *model, const struct dray_push *group, int32_t code);

/* The same for one lease of a settle or extend, a change of a job (id) or of a queue (NULL). */
int model_settle(struct model *model, const struct dray_lease *lease, int32_t answer);
int model_extend(struct model *model, const struct dray_lease *lease, int32_t answer);
int model_change(struct model *model, uint32_t what, const char *queue, const char *id,
    uint32_t flags, int32_t answer);

/* The same for what a reserve handed out. */
int model_reserve(
    struct model *model, const struct dray_reserve *want, const struct shown_list *handed);

/* Is what the driver lists and counts what the model holds? */
int model_agrees_list(struct model *model, const struct shown_list *listed);
int model_agrees_stats(struct model *model, struct subject *subject);

/* How many jobs have that state; 0: any. */
size_t model_count(const struct model *model, const char *queue, uint32_t state);

#endif
