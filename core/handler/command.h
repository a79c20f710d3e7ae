/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers that are commands: an argument vector, run by posix_spawn through `dray-runner --exec`,
 * payload on standard input, verdict by exit status (0 done, 75 again, 65 give up, else a failure;
 * death by a signal names it). Nothing here knows about queues or stores.
 */
#ifndef CORE_HANDLER_COMMAND_H
#define CORE_HANDLER_COMMAND_H

#include "config/config.h"

struct command; /* resolved once: program, vector, folder, limits */

/* Resolves the program (PATH, or relative to the folder). DRAY_NOTFOUND or DRAY_DENIED with the
   handler's line if it is not there or not executable. */
int command_new(struct command **out, const struct config *config,
    const struct config_handler *handler, struct dray_error *error);
void command_free(struct command *command);

/* What one run is told. */
struct command_job {
    const char *id, *type, *queue;
    uint32_t attempt, max_attempts;
    const char *payload;
    size_t payload_len;
    uint64_t timeout_ms; /* real time; SIGTERM to the group, SIGKILL after grace_ms */
    uint64_t grace_ms;
    uint64_t max_result;               /* bytes of standard output that can be a result */
    int (*cancelled)(const void *arg); /* asked whenever cancel_fd turns readable */
    const void *arg;
    int cancel_fd; /* an eventfd, or -1 */
};

enum { COMMAND_DONE, COMMAND_AGAIN, COMMAND_GIVE_UP, COMMAND_FAILED };

struct command_outcome {
    int verdict;
    int timed_out;
    int cancelled;
    char error[4097]; /* the last 4 KiB of standard error, or what killed it; "" when done */
    char *result;     /* malloced, with a zero; NULL if standard output is not one JSON value */
    size_t result_len;
};

/* Runs it and waits. Never fails as such: what went wrong is the outcome. Any thread. */
void command_run(
    const struct command *command, const struct command_job *job, struct command_outcome *outcome);

#endif
