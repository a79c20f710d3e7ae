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

/* Each checks one value and borrows it into *out; NULL, and an empty label, give the empty string.
   DRAY_OK, or a refusal that calls the value `what`. */
int draft_name(const struct drafts *d, const char *what, const char *text, struct dray_str *out);
int draft_label(const struct drafts *d, const char *what, const char *text, struct dray_str *out);
int draft_payload(const struct drafts *d, const char *text, size_t len, struct dray_str *out);

/*
 * Pushes the jobs of `room` as one group with these DRAY_PUSH_ flags. Returns the group's code, the
 * error explained; each answer is in room->answers, and in `out` unless that is NULL.
 */
int draft_push(const struct drafts *d, const struct draft_room *room, struct dray_str queue,
    uint32_t flags, struct dray_dispatched *out);

#endif
