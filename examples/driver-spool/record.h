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

/* Larger than any job: payload and result at their limits, and the rest. */
#define RECORD_MAX (2u * DRAY_PAYLOAD_MAX + 64u * 1024u)

/* Replaces the file `path` below `root` as a whole: it is written under another name, then takes
   this one by rename(2). `block` (of RECORD_MAX bytes) is to work in. 0 or an errno. */
int record_write(char *block, int root, const char *path, const struct dray_job *job);

/* Fills `job`, whose texts point into `block` (of RECORD_MAX bytes). 0 or an errno; EBADMSG: the
   file is damaged. */
int record_read(char *block, int root, const char *path, struct dray_job *job);

#endif
