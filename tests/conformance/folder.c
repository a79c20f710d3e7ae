/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MEMORY_BYTES (512u * 1024 * 1024) /* several times what a quick run needs */

static char root[FOLDER_SIZE - 32];
static unsigned generation, made;

/* Memory that looks like a disk, if there is room for stores: what syncs does not wait there. */
static const char *in_memory(void)
{
    static const char shm[] = "/dev/shm";
    struct statvfs info;

    if (statvfs(shm, &info) != 0 || access(shm, W_OK) != 0 ||
        info.f_bavail < MEMORY_BYTES / (info.f_frsize ? info.f_frsize : 1))
        return NULL;
    return shm;
}

int folder_begin(int quick)
{
    const char *tmp = getenv("TMPDIR"), *shm = quick ? in_memory() : NULL;
    int len = snprintf(root, sizeof(root), "%s/dray-conformance-XXXXXX",
        tmp && tmp[0] == '/' ? tmp
        : shm                ? shm
                             : "/tmp");

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
