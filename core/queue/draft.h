/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on their way into the store: checked, completed, pushed as one group. */
#ifndef CORE_QUEUE_DRAFT_H
#define CORE_QUEUE_DRAFT_H

#include "dray/dray.h"
#include "dray/driver.h"
#include "queue/unique.h"

/* What a job needs beside its struct until it is pushed. */
struct draft {
    struct dray_job job;
    char id[DRAY_ID_SIZE];
    char unique[UNIQUE_KEY_SIZE];
};

/* The group that is being made. */
struct drafts {
    struct dray *dray;
    struct dray_error *error;
    size_t n, at; /* `at`: the one that is being checked, for messages */
    struct dray_dispatched *out;
    int64_t now_ms;
};

/* DRAY_OK, or why no group of `n` jobs can be made of `jobs` here: no instance that can be used, no
   jobs, too many. */
int draft_check_batch(
    const struct dray *dray, const void *jobs, size_t n, struct dray_error *error);

/* Room for the jobs of a group and for what the driver answers: [n] each. */
struct draft_room {
    struct draft *drafts;
    const struct dray_job **jobs;
    int32_t *answers;
    char (*holders)[DRAY_NAME_MAX + 1];
};

/* DRAY_OK, or DRAY_NOMEM with the error filled in. draft_room_free in both cases. */
int draft_room_new(const struct drafts *d, struct draft_room *room);
void draft_room_free(const struct draft_room *room);

/* Returns `code`, and one line that names the offender in a batch: "the id is empty". */
int draft_refuse(const struct drafts *d, int code, const char *what, const char *why);

/* Fill in `out`, of `n` places or NULL, and return `code`: the group is refused for no single job's
   sake, or for that of the job at d->at, and the others are without fault. */
int draft_answer_all(struct dray_dispatched *out, size_t n, int code);
int draft_blame(const struct drafts *d, int code);

/* Each checks one value and puts it into *out, texts borrowed; NULL, and an empty label, give the
   empty string. DRAY_OK, or a refusal that calls the value `what`. */
int draft_name(const struct drafts *d, const char *what, const char *text, struct dray_str *out);
int draft_label(const struct drafts *d, const char *what, const char *text, struct dray_str *out);
int draft_payload(const struct drafts *d, const char *text, size_t len, struct dray_str *out);
int draft_timeout(const struct drafts *d, uint64_t ms, uint64_t *out);

/*
 * Pushes the jobs of `room` as one group with these DRAY_PUSH_ flags. Returns the group's code, the
 * error explained; each answer is in room->answers, and in `out` unless that is NULL.
 */
int draft_push(const struct drafts *d, const struct draft_room *room, struct dray_str queue,
    uint32_t flags, struct dray_dispatched *out);

#endif
