/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories of a queue and a model of what must be there: which jobs wait (ready, delayed or
 * active), are dead or done. Reserves change none of that, so a history may lose one of them and
 * still agree.
 */
#ifndef TESTS_FILE_HISTORY_H
#define TESTS_FILE_HISTORY_H

#include "rig.h"

#define MODEL_JOBS 256

struct model {
    struct {
        char id[16];
        char class; /* w, d (dead), k (done and kept) */
    } jobs[MODEL_JOBS];
    size_t n;
};

struct history {
    struct rig *rig;
    uint64_t seed;
    unsigned serial;
    struct model model; /* what must be there */
    struct model other; /* after an answer that is unsure: what may be there instead */
    struct seen held;   /* a lease, if held.id is not empty */
};

void history_begin(struct history *history, struct rig *rig, uint64_t seed);

/* Does something. The answer; the model moves on if it is DRAY_OK, `other` is what it would have
   become if it is unsure. */
int32_t history_step(struct history *history);

/* 1 if the store holds exactly that, payloads included. Else says what it holds in `why`. */
int model_agrees(const struct model *model, struct rig *rig, char *why, size_t size);

#endif
