/* SPDX-License-Identifier: CC0-1.0 */
/*
 * What a job's file holds: everything that its place does not say, a line a field, behind a line
 * with the checksum of the rest. Texts carry their length, so any bytes may be in them:
 *
 *     dray-job 8c736521f1a5b1d0
 *     type 12:send-welcome
 *     attempts 1
 *     ...
 */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include <dray/driver.h>

/* Replaces the file `path` below `root` as a whole: it is written under another name, then takes
   this one by rename(2). 0 or an errno. */
int record_write(
    const struct dray_host *host, int root, const char *path, const struct dray_job *job);

/* Fills `job`, whose texts point into *block: host->resize(host, *block, 0) when done with it. 0 or
   an errno; EBADMSG: the file is damaged. */
int record_read(
    const struct dray_host *host, int root, const char *path, struct dray_job *job, char **block);

#endif
