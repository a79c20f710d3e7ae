/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers from shared objects (dray/module.h). */
#ifndef CORE_HANDLER_MODULE_H
#define CORE_HANDLER_MODULE_H

#include "dray/module.h"

struct module; /* a module initialised for one instance */

/* Loads and checks a module and calls its init. *out is for module_close. */
int module_open(
    struct module **out, const char *path, const char *options, struct dray_error *error);
void module_close(struct module *module);

/* Its rows, and the state that their functions get. */
const struct dray_module *module_table(const struct module *module);
const struct dray_module_handler *module_handler(const struct module *module, uint32_t index);
void *module_state(const struct module *module);

/* Calls `each` with the path of every *.so of a folder, in order of name; or with `path` itself, if
   that ends in .so. */
int module_each(const char *path, int (*each)(const char *path, void *user), void *user,
    struct dray_error *error);

#endif
