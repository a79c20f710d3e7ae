/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[FOLDER_SIZE - 32];
static unsigned generation, made;

int folder_begin(void)
{
    const char *tmp = getenv("TMPDIR");
    int len = snprintf(
        root, sizeof(root), "%s/dray-conformance-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");

    if (len > 0 && (size_t)len < sizeof(root) && mkdtemp(root))
        return 1;
    fprintf(stderr, "conformance: %s: %s; set TMPDIR to a folder that can be written to\n", root,
        strerror(errno));
    root[0] = 0;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    return walk->level > 0 || strcmp(path, root) != 0 ? remove(path) : 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void folder_clear(void)
{
    folder_remove(root);
    generation++;
    made = 0;
}

void folder_end(void)
{
    if (!root[0])
        return;
    folder_remove(root);
    rmdir(root);
    root[0] = 0;
}

int folder_make(char folder[FOLDER_SIZE], char word[FOLDER_WORD_SIZE])
{
    const char *run = strrchr(root, '-');

    snprintf(
        word, FOLDER_WORD_SIZE, "conformance-%s-%u-%u", run ? run + 1 : "", generation, ++made);
    snprintf(folder, FOLDER_SIZE, "%s/%u", root, made);
    return mkdir(folder, 0700) == 0;
}
