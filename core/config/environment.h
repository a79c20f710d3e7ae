/* SPDX-License-Identifier: Apache-2.0 */
/* What ${NAME} means: the process's environment and, for what it lacks, a .env file. */
#ifndef CORE_CONFIG_ENVIRONMENT_H
#define CORE_CONFIG_ENVIRONMENT_H

#include "config/arena.h"
#include "config/tree.h"
#include "dray/error.h"

struct environment {
    struct arena *arena;
    int ignored; /* nothing is set: neither the process's environment nor .env */
    struct variable *variables;
};

/* Reads the file at `path` (borrowed) if there is one. Messages begin with FILE:LINE. */
int environment_load(struct environment *environment, const char *path, struct dray_error *error);

/* NULL if it is not set. In a program with more rights than its user only .env counts. */
const char *environment_get(const struct environment *environment, const char *name);

/* Replaces ${NAME} and ${NAME:-default} in every scalar of the tree; $${ stands for ${. */
int environment_expand(
    const struct environment *environment, struct node *root, struct dray_error *error);

#endif
