/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of files for one test. */
#ifndef TESTS_UNIT_CONFIG_FILES_H
#define TESTS_UNIT_CONFIG_FILES_H

#include <stddef.h>

/* Makes a folder; its absolute path without links into `folder` (of 256 bytes). */
void folder_make(char *folder);
/* Writes `text` into folder/name; folders on the way are made. */
void folder_write(const char *folder, const char *name, const char *text);
/* Removes the folder with all that is in it. */
void folder_remove(const char *folder);
/* The whole file; malloced, with a zero behind it. */
char *file_text(const char *path);

#endif
