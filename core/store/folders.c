/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folders.h"

#include "dray/dray.h"
#include "store/loader.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char installed[PATH_MAX] = DRAY_FOLDER;

/* Looks beside the object that this very function is in: libdray, or a program that holds it. */
static void find_installed(void)
{
    Dl_info self;
    char file[PATH_MAX];
    if (getauxval(AT_SECURE) || !dladdr(installed, &self) || !self.dli_fname ||
        !realpath(self.dli_fname, file))
        return;
    char *slash = strrchr(file, '/');
    if (!slash)
        return;
    *slash = 0;
    char beside[PATH_MAX];
    struct stat st;
    int len = snprintf(beside, sizeof(beside), "%s/dray", file);
    if (len > 0 && (size_t)len < sizeof(beside) && stat(beside, &st) == 0 && S_ISDIR(st.st_mode))
        memcpy(installed, beside, (size_t)len + 1);
}

const char *loader_folder(void)
{
    pthread_once(&once, find_installed);
    return installed;
}

const char *dray_folder(void)
{
    return loader_folder();
}

int folders_at(size_t index, char *out, size_t size)
{
    const char *list = secure_getenv("DRAY_DRIVER_PATH");
    while (list && *list) {
        size_t len = strcspn(list, ":");
        if (*list == '/' && len < size && index-- == 0) {
            memcpy(out, list, len);
            out[len] = 0;
            return 1;
        }
        list += len + (list[len] == ':');
    }
    if (index > 0)
        return 0;
    int len = snprintf(out, size, "%s", loader_folder());
    return len > 0 && (size_t)len < size;
}

int folders_find(const char *file, char *out, size_t size)
{
    char folder[PATH_MAX];
    for (size_t i = 0; folders_at(i, folder, sizeof(folder)); i++) {
        int len = snprintf(out, size, "%s/%s", folder, file);
        if (len > 0 && (size_t)len < size &&
            faccessat(AT_FDCWD, out, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return 1;
    }
    return 0;
}

const char *folders_list(char *out, size_t size)
{
    char folder[PATH_MAX];
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; folders_at(i, folder, sizeof(folder)) && used < size; i++) {
        int len = snprintf(out + used, size - used, "%s%s", i ? ", " : "", folder);
        if (len < 0)
            break;
        used += (size_t)len;
    }
    return out;
}
