/* SPDX-License-Identifier: Apache-2.0 */
/* What command.c prepares and command_run.c runs. */
#ifndef CORE_HANDLER_COMMAND_RUN_H
#define CORE_HANDLER_COMMAND_RUN_H

#define COMMAND_WORDS 6      /* of dray-runner, before the handler's own vector */
#define COMMAND_INHERITED 16 /* variables of our environment, at most */

struct command {
    char **argv;                      /* of dray-runner; ends in NULL */
    char *env[COMMAND_INHERITED + 1]; /* "NAME=value"; ends in NULL */
};

#endif
