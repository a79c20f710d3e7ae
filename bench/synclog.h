/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest driver that waits for a disk: it appends pushed jobs to a file and calls fdatasync
 * once a call. It exists to show what the core's turns are worth: many dispatchers that share one
 * fdatasync, against the same driver called one push at a time. Nothing can be reserved from it.
 */
#ifndef BENCH_SYNCLOG_H
#define BENCH_SYNCLOG_H

#include "contest.h"

#define SYNCLOG_NAME "synclog"

/* Makes the driver known to dray_open. -1 after one line on standard error. */
int synclog_register(void);

/* The jobs in a log. */
uint64_t synclog_count(const char *path);

/* A side: load->dispatchers threads that call the driver's push under one mutex. */
int synclog_direct(const struct load *load, struct sample *out);

#endif
