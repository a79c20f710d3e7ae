/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of dispatching: running a stored job in the caller, for sync; the worker of isolate. */
#ifndef CORE_QUEUE_DISPATCH_H
#define CORE_QUEUE_DISPATCH_H

#include "dray/dray.h"
#include "dray/driver.h"

/* sync: may a job of this type be dispatched here? DRAY_INVALID, and nothing stored, if it has no
   handler or the nesting is too deep. */
int inline_check(struct dray *dray, const struct dray_job *job, struct dray_error *error);

/* sync: runs a job that was just pushed, retries included. DRAY_OK, or DRAY_FAILED with its error;
   a delayed job dispatched from inside a handler stays stored. */
int inline_run(struct dray *dray, const struct dray_job *job, struct dray_error *error);

/* isolate: starts the worker unless one runs. Other drivers: nothing. */
int dispatch_autostart(struct dray *dray, struct dray_error *error);

#endif
