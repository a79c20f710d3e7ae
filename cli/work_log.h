/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `work` tells while it works: a line a job on standard error, or JSON lines on standard
 * output, or on a terminal one line of progress with the failures above it.
 */
#ifndef CLI_WORK_LOG_H
#define CLI_WORK_LOG_H

#include "signals.h"

#include <dray/dray.h>

struct cli;

struct work_log {
    struct cli *cli;
    struct signals *signals; /* told when the worker starts; NULL: nobody */
    int json;
    int once;              /* one job on this thread: people are not told of an executor */
    pthread_mutex_t mutex; /* one line at a time; guards the next one */
    int start_told;
    uint64_t started_ms;
};

void work_log_start(struct work_log *log, struct cli *cli, int json);
void work_log_callbacks(struct work_log *log, struct dray_callbacks *callbacks);

/* One line on how the worker is doing: what USR1 asks for. `user` is a struct work_log. */
void work_log_state(void *user);

/* Draws the progress line. `user` is a struct work_log. */
void work_log_progress(void *user);

/* The last line: what was done, and `left`, what was left behind ("" if nothing was). */
void work_log_end(struct work_log *log, const struct dray_work_report *report, const char *left);

#endif
