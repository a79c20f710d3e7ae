/* SPDX-License-Identifier: Apache-2.0 */
/* The exit statuses of the command. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_NOTHING = 4,
    EXIT_CONFLICT = 5,
    EXIT_HEALTH_USAGE = 64, /* `health` alone, whose 2 means critical */
    EXIT_UNREACHABLE = 69,
    EXIT_INTERNAL = 70,
    EXIT_IO = 74,
    EXIT_DENIED = 77,
    EXIT_CONFIG = 78
};

/* The status of a DRAY_ code that a call on an open instance returned. */
int exit_of(int code);

/* The same when reading the configuration or opening the store failed: what is merely a missing
   job or a wrong argument later is a fault of the configuration there. */
int exit_of_open(int code);

#endif
