/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where drivers and helper programs are looked for: the absolute folders of DRAY_DRIVER_PATH (a
 * colon list, ignored in a set-uid program), then loader_folder(). Never the current folder. Any
 * thread.
 */
#ifndef CORE_STORE_FOLDERS_H
#define CORE_STORE_FOLDERS_H

#include <stddef.h>

/* The folder at `index` into `out`; 0 past the last one. Folders that do not fit are left out. */
int folders_at(size_t index, char *out, size_t size);

/* The path of `file` (a bare name) in the first folder that has it. 0 if none has. */
int folders_find(const char *file, char *out, size_t size);

/* All of them for an error message, joined by commas. Returns `out`. */
const char *folders_list(char *out, size_t size);

#endif
