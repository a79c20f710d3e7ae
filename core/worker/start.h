/* SPDX-License-Identifier: Apache-2.0 */
/* Making a worker of its options. */
#ifndef CORE_WORKER_START_H
#define CORE_WORKER_START_H

#include "worker/worker.h"

/* Makes the instance's worker and starts its threads. With `on_caller` there is a keeper and one
   executor without a thread, for executor_run; its events are called by the end of the worker.
   DRAY_CONFLICT if the instance has a worker. The lock is not held. */
int worker_start(struct worker **out, struct dray *dray, const struct dray_worker_options *options,
    int on_caller, struct dray_error *error);

#endif
