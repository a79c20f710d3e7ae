/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the program or the command line, laid over the tree before it is checked. */
#ifndef CORE_CONFIG_SETTINGS_H
#define CORE_CONFIG_SETTINGS_H

#include "config/environment.h"
#include "config/tree.h"
#include "dray/dray.h"

/*
 * Puts each setting where its dotted key points, maps on the way included. A part of a key may
 * itself have dots where the tree has such a key already (handlers.send.mail.timeout).
 */
int settings_apply(const struct environment *environment, const struct dray_setting *settings,
    size_t n, struct node *root, struct dray_error *error);

/* Sets queue.driver to a text, with `file` as its origin. */
int settings_driver(struct arena *arena, struct node *root, const char *file, const char *driver,
    struct dray_error *error);

#endif
