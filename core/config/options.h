/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a driver's section, seen by the rest of this folder. */
#ifndef CORE_CONFIG_OPTIONS_H
#define CORE_CONFIG_OPTIONS_H

#include "config/config.h"
#include "config/value.h"

typedef int (*option_fn)(
    void *user, const char *section, const struct dray_option *row, const struct value *value);

/* Every key of the section, the common ones first, without the values of connections. Ends at the
   first answer that is not 0, and returns it. */
int option_values_each(const struct option_values *values, option_fn each, void *user);

#endif
