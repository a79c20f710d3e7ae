/* SPDX-License-Identifier: Apache-2.0 */
/* --state of `list` and `export`: repeatable, or several joined by commas. */
#ifndef CLI_STATES_H
#define CLI_STATES_H

#include "options.h"

#define STATES_SIZE 64

struct cli;

/* Joins the states by commas into `out`, which is empty, as dray_list takes them. 0, or the exit
   status, reported. */
int join_states(const struct cli *cli, const struct option_list *states, char *out, size_t size);

#endif
