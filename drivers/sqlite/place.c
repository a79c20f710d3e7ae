/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* File systems that other machines write to, where neither locks nor shared memory hold: magic
   numbers from linux/magic.h and statfs(2). */
static const struct network {
    uint32_t magic;
    const char *name;
} networks[] = {
    {0x6969u, "NFS"},
    {0x517bu, "SMB"},
    {0xff534d42u, "CIFS"},
    {0xfe534d42u, "SMB2"},
    {0x00c36400u, "Ceph"},
    {0x01021997u, "9P"},
    {0x5346414fu, "AFS"},
    {0x6b414653u, "AFS"},
    {0x73757245u, "Coda"},
    {0x7461636fu, "OCFS2"},
    {0x01161970u, "GFS2"},
    {0x0bd00bd0u, "Lustre"},
    {0x786f4256u, "VirtualBox shared folder"},
};

static int32_t fail_place(
    struct store *store, struct dray_call *call, const char *path, const char *doing)
{
    int sys = errno;
    int denied = sys == EACCES || sys == EPERM || sys == EROFS;
    if (sys == ENOSPC || sys == EDQUOT)
        return store->host->fail(
            call, DRAY_FULL, sys, "%s: cannot %s (%s); make room", path, doing, strerror(sys));
    return store->host->fail(call, denied ? DRAY_DENIED : DRAY_IO, sys, "%s: cannot %s (%s); %s",
        path, doing, strerror(sys),
        denied ? "let this user write there, or choose another path" : "choose another path");
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = fsync(fd);
    int sys = errno;
    close(fd);
    errno = sys;
    return failed;
}

/* Cuts `path` at its last slash: the folder remains. Returns the leaf. */
static char *cut_leaf(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

/* mkdir -p, and each new folder safe in its parent. `folder` is changed and restored. */
static int make_folders(char *folder)
{
    struct stat st;
    if (folder[0] == '\0' || stat(folder, &st) == 0)
        return 0;
    char *slash = strrchr(folder, '/');
    if (errno != ENOENT || !slash)
        return -1;
    *slash = '\0';
    int failed = make_folders(folder);
    *slash = '/';
    if (failed)
        return failed;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return -1;
    *slash = '\0';
    failed = sync_folder(folder[0] ? folder : "/");
    *slash = '/';
    return failed;
}

static int32_t refuse_network(struct store *store, struct dray_call *call, const char *folder)
{
    struct statfs fs;
    if (statfs(folder, &fs) != 0)
        return fail_place(store, call, folder, "look at its file system");
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
        if ((uint32_t)fs.f_type == networks[i].magic)
            return store->host->fail(call, DRAY_UNSUPPORTED, 0,
                "%s: on a network file system (%s), where file locks do not hold; use a local "
                "disk, or set `network: true` if one machine alone uses it",
                folder, networks[i].name);
    return DRAY_OK;
}

int32_t place_prepare(struct store *store, struct dray_call *call, const char *path, int network)
{
    const struct dray_host *host = store->host;
    char given[PATH_MAX], folder[PATH_MAX];
    int n = snprintf(given, sizeof(given), "%s", path);
    /* room for the longest suffix of the files beside it */
    if (n < 0 || (size_t)n + 16 > sizeof(given))
        return host->fail(call, DRAY_CONFIG, ENAMETOOLONG, "path: too long; choose a shorter one");
    char *leaf = cut_leaf(given);
    if (!leaf || !*leaf)
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not the path of a file; name a file in that folder", path);
    if (make_folders(given) != 0)
        return fail_place(store, call, path, "make its folder");
    if (!realpath(given[0] ? given : "/", folder))
        return fail_place(store, call, path, "find its folder");
    size_t size = strlen(folder) + strlen(leaf) + 2;
    store->path = host->resize(host, NULL, size);
    if (!store->path)
        return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", path);
    snprintf(store->path, size, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, leaf);
    return network ? DRAY_OK : refuse_network(store, call, folder);
}

int32_t place_check(struct store *store, struct dray_call *call, int *missing)
{
    const struct dray_host *host = store->host;
    struct stat st;
    *missing = 0;
    if (lstat(store->path, &st) != 0) {
        if (errno != ENOENT)
            return fail_place(store, call, store->path, "look at it");
        *missing = 1;
        return DRAY_OK;
    }
    if (S_ISDIR(st.st_mode))
        return host->fail(call, DRAY_CONFIG, EISDIR,
            "%s: a folder, not a database; name a file in it", store->path);
    if (S_ISLNK(st.st_mode))
        return host->fail(call, DRAY_DENIED, ELOOP,
            "%s: a symbolic link; name the file that it leads to", store->path);
    if (!S_ISREG(st.st_mode))
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not a regular file; choose another path", store->path);
    return DRAY_OK;
}

int32_t place_create(struct store *store, struct dray_call *call)
{
    /* SQLite would make it readable for others. It was not there a moment ago, so closing it drops
       nobody's POSIX locks. */
    int fd = open(store->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return DRAY_OK;
    if (fd < 0)
        return fail_place(store, call, store->path, "create it");
    close(fd);
    return DRAY_OK;
}

int32_t place_sync_folder(struct store *store, struct dray_call *call)
{
    char *slash = strrchr(store->path, '/');
    if (!slash)
        return DRAY_OK;
    *slash = '\0';
    int failed = sync_folder(store->path[0] ? store->path : "/");
    *slash = '/';
    return failed ? fail_place(store, call, store->path, "make its name safe on the disk")
                  : DRAY_OK;
}

char *place_beside(struct store *store, const char *suffix)
{
    size_t size = strlen(store->path) + strlen(suffix) + 1;
    char *beside = store->host->resize(store->host, NULL, size);
    if (beside)
        snprintf(beside, size, "%s%s", store->path, suffix);
    return beside;
}
