/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that there are: those that the program registered and those in the driver folders.
 * NAME is a registered driver of that name, else NAME.so in the first of the folders that has it;
 * anything with a slash is a path. Any thread.
 */
#ifndef CORE_STORE_REGISTRY_H
#define CORE_STORE_REGISTRY_H

#include "config/config.h"
#include "dray/driver.h"

#include <limits.h>

/* A driver that was found, loaded and checked. */
struct found_driver {
    struct dray_driver driver; /* our copy */
    char path[PATH_MAX];       /* "": registered */
};

/* The driver that the configuration names. DRAY_NOTFOUND names those that exist and where they were
   looked for. */
int registry_find(const struct config *config, struct found_driver *out, struct dray_error *error);

#endif
