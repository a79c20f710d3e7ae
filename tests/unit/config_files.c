/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/config_files.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_make(char *folder)
{
    char name[SCRATCH_SIZE];
    scratch_make(name);
    char *path = realpath(name, NULL);
    assert_non_null(path);
    assert_true(strlen(path) < 256);
    memcpy(folder, path, strlen(path) + 1);
    free(path);
}

void folder_write(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0700);
    }
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void folder_remove(const char *folder)
{
    scratch_remove(folder);
}

char *file_text(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 70000);
    assert_non_null(text);
    size_t len = fread(text, 1, 69999, file);
    assert_true(len < 69999);
    fclose(file);
    return text;
}
