/* SPDX-License-Identifier: Apache-2.0 */
/* How jobs are shown. */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

#include "json_out.h"

#include <dray/dray.h>
#include <dray/text.h>

/* The whole job as one JSON object on one line. */
void job_print_json(FILE *file, const struct dray_job_info *job);

/* "2/4", "2/-" if the handler decides. Returns `out`. */
char *job_attempts(const struct dray_job_info *job, char out[DRAY_TIME_SIZE]);

/* When a job that waits is due, the lease of an active one ends, or an ended one ended: for people
   "now", "in 5m", "3s ago", for programs a time ("now" and "-" where there is none).
   Returns `out`. */
char *job_when(
    const struct dray_job_info *job, int for_people, int64_t now_ms, char out[DRAY_TIME_SIZE]);

/* Why a delayed job waits: "parked", "retrying" or "scheduled". */
const char *job_waits_as(const struct dray_job_info *job);

/* The wall clock, in milliseconds since 1970 UTC. */
int64_t wall_now_ms(void);

/* The names of the states, ending in NULL. */
extern const char *const job_states[];

#endif
