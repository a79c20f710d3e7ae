/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a job by its id. */
#ifndef CORE_QUEUE_INSPECT_H
#define CORE_QUEUE_INSPECT_H

#include "dray/dray.h"

/* As dray_get. */
int find_job(struct dray *dray, const char *queue, const char *id, struct dray_job_info **out,
    struct dray_error *error);

#endif
