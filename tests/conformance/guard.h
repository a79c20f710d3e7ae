/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a piece of work in a child process and sees to it that it comes to an end. */
#ifndef CONFORMANCE_GUARD_H
#define CONFORMANCE_GUARD_H

#include "journal.h"

#include <signal.h>

struct guard_limits {
    uint32_t still_s;                  /* no call may take longer */
    uint32_t whole_s;                  /* nor the work as a whole */
    const volatile sig_atomic_t *stop; /* turns nonzero: somebody wants it to end */
};

/*
 * Runs work(user) in a child with the journal. On return no process of the work is left. What it
 * came to is in the journal: if the child did not finish, `failure` says how it ended - crashed,
 * hung, ended the process - and in which call.
 */
void guard_run(
    struct journal *journal, const struct guard_limits *limits, void (*work)(void *), void *user);

#endif
