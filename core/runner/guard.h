/* SPDX-License-Identifier: Apache-2.0 */
/* Staying behind while the program runs, so that its whole group ends with the worker. */
#ifndef CORE_RUNNER_GUARD_H
#define CORE_RUNNER_GUARD_H

#include <sys/types.h>

/* A descriptor of the worker, whose process number is `worker`, our parent. -1, with a line on
   standard error, if it is gone. */
int guard_open(pid_t worker);

#define GUARD_FAILED 126 /* as shells have it */

/*
 * Starts a process that calls `become`, which turns into the program or returns an exit status; it
 * dies with the guard. Does not return but for -1, with a line on standard error, if there can be
 * no process: it exits as the program did, or ends by the same signal, or, when the worker has
 * died, kills the group that both are in.
 */
int guard_run(int worker, int (*become)(const void *arg), const void *arg);

#endif
