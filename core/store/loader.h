/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared objects: drivers and handler modules. loader.c is the only file that knows libltdl.
 *
 * Objects are loaded local, bound at once, resident: they are never unloaded. Identity is device
 * and inode, so a file is loaded once under whatever path. Refused, with the reason: a file or a
 * folder on its path that others may write to, not a regular file, an undefined symbol, a missing
 * entry function. Any thread.
 */
#ifndef CORE_STORE_LOADER_H
#define CORE_STORE_LOADER_H

#include "dray/error.h"

/* `path` is absolute. *entry is the address of the function `symbol`. */
int loader_load(
    const char *path, const char *symbol, void (**entry)(void), struct dray_error *error);

/* The folder of installed drivers and of dray-runner: `dray` beside the library that this code is
   in, else the one compiled in. Static. */
const char *loader_folder(void);

#endif
