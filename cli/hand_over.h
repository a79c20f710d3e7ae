/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that are programs of their own, beside the drivers: dray-bench, dray-conformance. */
#ifndef CLI_HAND_OVER_H
#define CLI_HAND_OVER_H

#include "cli.h"

/*
 * Becomes `program`, with what `dray` was told before the verb - configuration, driver, --json -
 * first, and what follows the verb as it is. Returns only an exit status, reported, if it cannot;
 * `what` is what an installation without it came without.
 */
int hand_over(struct cli *cli, const char *program, const char *what);

#endif
