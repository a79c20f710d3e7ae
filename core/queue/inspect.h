/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a job by its id, a state by its name. */
#ifndef CORE_QUEUE_INSPECT_H
#define CORE_QUEUE_INSPECT_H

#include "dray/dray.h"

/* As dray_get. */
int find_job(struct dray *dray, const char *queue, const char *id, struct dray_job_info **out,
    struct dray_error *error);

/* The DRAY_STATE_ of "ready", "delayed", "active", "dead" or "done"; 0 for any other, and NULL. */
uint32_t state_by_name(const char *name);

#endif
