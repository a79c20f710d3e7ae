/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of `connections`: a URL taken apart, single keys over it. */
#ifndef CORE_CONFIG_CONNECTION_H
#define CORE_CONFIG_CONNECTION_H

#include "config/value.h"

/* Checks every entry: keys, types, URLs. */
int connections_check(const struct reader *reader, const struct node *connections);

/* What connection_read calls for each value that is given: its name ("host") and the value. */
typedef int (*connection_fn)(void *user, const struct dray_option *row, const struct value *value);

/*
 * Resolves one entry. Single keys win over parts of the URL; password_file is read, and gives the
 * password. `url` comes as it was written: it may hold a password. `sentinels` are hosts and ports
 * in turn, a port that is not given as an empty text.
 */
int connection_read(
    const struct reader *reader, const struct node *entry, connection_fn each, void *user);

#endif
