/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failing allocations: one short history again and again, with the first, second, third ...
 * allocation failing, once by itself and once with all that follow. Whatever answers "out of
 * memory" must have changed nothing, and nothing may be lost.
 */
#ifndef CONFORMANCE_FAULTS_H
#define CONFORMANCE_FAULTS_H

#include "history.h"

/* Tries at most `most` places. Returns how many were tried; `failure` as in history_run. */
uint64_t faults_run(const struct history_plan *plan, uint32_t most, char *failure, size_t size);

#endif
