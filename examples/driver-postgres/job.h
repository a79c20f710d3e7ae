/* SPDX-License-Identifier: CC0-1.0 */
/* A job as a row of JOB_ columns. */
#ifndef POSTGRES_JOB_H
#define POSTGRES_JOB_H

#include <dray/driver.h>
#include <libpq-fe.h>

/* Shows each row of an answer through call->job. */
void job_show(struct dray_call *call, const PGresult *rows);

#endif
