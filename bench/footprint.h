/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory and disk is in use. */
#ifndef BENCH_FOOTPRINT_H
#define BENCH_FOOTPRINT_H

#include "contest.h"

struct footprint {
    double heap;     /* bytes that malloc has given out, in all arenas */
    double resident; /* bytes of memory that the process occupies */
    double disk;     /* bytes of the store's files; below 0 if there are none */
};

/* Takes a measurement. `store` is the path of a store's file; all files of its folder that begin
   with its name are counted. NULL: no disk. Gives free heap pages back to the system first, so that
   two measurements can be compared. */
struct footprint footprint_take(const char *store);

/* Fills values 0 to 2 of a sample with the growth a job. */
void footprint_sample(struct sample *out, const struct footprint *before,
    const struct footprint *after, uint64_t jobs);

#endif
