/* SPDX-License-Identifier: Apache-2.0 */
#include "file/place.h"

#include "file/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* File systems that other machines write to, where file locks do not hold between them: magic
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
    int fd = os->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    int failed;
    do
        failed = os->fsync(fd);
    while (failed && errno == EINTR);
    int sys = errno;
    os->close(fd);
    errno = sys;
    return failed;
}

int place_sync_folder(struct store *store)
{
    char *slash = strrchr(store->path, '/');

    *slash = '\0';
    int failed = sync_folder(store->path[0] ? store->path : "/");
    *slash = '/';
    return failed;
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
    if (os->mkdir(folder, 0700) != 0 && errno != EEXIST)
        return -1;
    *slash = '\0';
    failed = sync_folder(folder[0] ? folder : "/");
    *slash = '/';
    return failed;
}

static int32_t refuse_network(struct store *store, struct dray_call *call, const char *folder)
{
    struct statfs fs;

    if (os->statfs(folder, &fs) != 0)
        return fail_place(store, call, folder, "look at its file system");
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        if ((uint32_t)fs.f_type == networks[i].magic)
            return store->host->fail(call, DRAY_UNSUPPORTED, 0,
                "%s: on a network file system (%s), where file locks do not hold; use a local "
                "disk, or set `network: true` if one machine alone uses it",
                folder, networks[i].name);
    }
    return DRAY_OK;
}

static int32_t set_paths(
    struct store *store, struct dray_call *call, const char *folder, const char *leaf)
{
    const struct dray_host *host = store->host;
    size_t size = strlen(folder) + strlen(leaf) + 2;

    store->path = host->resize(host, NULL, size);
    store->aside = host->resize(host, NULL, size + STORE_SUFFIX_MAX);
    store->lock_path = host->resize(host, NULL, size + STORE_SUFFIX_MAX);
    if (!store->path || !store->aside || !store->lock_path)
        return host->fail(call, DRAY_NOMEM, ENOMEM, "%s/%s: out of memory", folder, leaf);
    snprintf(store->path, size, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, leaf);
    snprintf(store->lock_path, size + STORE_SUFFIX_MAX, "%s.lock", store->path);
    return DRAY_OK;
}

static int32_t look(struct store *store, struct dray_call *call)
{
    const struct dray_host *host = store->host;
    struct stat st;

    if (os->lstat(store->path, &st) != 0)
        return errno == ENOENT ? DRAY_OK : fail_place(store, call, store->path, "look at it");
    if (S_ISDIR(st.st_mode))
        return host->fail(call, DRAY_CONFIG, EISDIR,
            "%s: a folder, not a queue file; name a file in it", store->path);
    if (S_ISLNK(st.st_mode))
        return host->fail(call, DRAY_DENIED, ELOOP,
            "%s: a symbolic link; name the file that it leads to", store->path);
    if (!S_ISREG(st.st_mode))
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not a regular file; choose another path", store->path);
    return DRAY_OK;
}

int32_t place_prepare(struct store *store, struct dray_call *call, const char *path, int network)
{
    const struct dray_host *host = store->host;
    char given[PATH_MAX], folder[PATH_MAX];
    int n = snprintf(given, sizeof(given), "%s", path);

    if (n < 0 || (size_t)n + STORE_SUFFIX_MAX > sizeof(given))
        return host->fail(call, DRAY_CONFIG, ENAMETOOLONG, "path: too long; choose a shorter one");
    char *slash = strrchr(given, '/');
    if (!slash || !slash[1])
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not the path of a file; name a file in that folder", path);
    *slash = '\0';
    if (make_folders(given) != 0)
        return fail_place(store, call, path, "make its folder");
    if (!realpath(given[0] ? given : "/", folder))
        return fail_place(store, call, path, "find its folder");
    int32_t code = set_paths(store, call, folder, slash + 1);
    if (code == DRAY_OK)
        code = look(store, call);
    return code == DRAY_OK && !network ? refuse_network(store, call, folder) : code;
}
