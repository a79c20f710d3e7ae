/* SPDX-License-Identifier: Apache-2.0 */
#include "common/place.h"

#include "common/os.h"

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

int32_t place_fail(
    const struct dray_host *host, struct dray_call *call, const char *path, const char *doing)
{
    int sys = errno;
    int denied = sys == EACCES || sys == EPERM || sys == EROFS;
    if (sys == ENOSPC || sys == EDQUOT)
        return host->fail(
            call, DRAY_FULL, sys, "%s: cannot %s (%s); make room", path, doing, strerror(sys));
    return host->fail(call, denied ? DRAY_DENIED : DRAY_IO, sys, "%s: cannot %s (%s); %s", path,
        doing, strerror(sys),
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

int place_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash > path ? (size_t)(slash - path) : 1;
    if (len >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    return sync_folder(folder);
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
    return place_sync_folder(folder);
}

static int32_t refuse_network(
    const struct dray_host *host, struct dray_call *call, const char *folder)
{
    struct statfs fs;
    if (os->statfs(folder, &fs) != 0)
        return place_fail(host, call, folder, "look at its file system");
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        if ((uint32_t)fs.f_type == networks[i].magic)
            return host->fail(call, DRAY_UNSUPPORTED, 0,
                "%s: on a network file system (%s), where file locks do not hold; use a local "
                "disk, or set `network: true` if one machine alone uses it",
                folder, networks[i].name);
    }
    return DRAY_OK;
}

int32_t place_prepare(const struct dray_host *host, struct dray_call *call, const char *given,
    int network, char **path)
{
    char cut[PATH_MAX], folder[PATH_MAX];
    int n = snprintf(cut, sizeof(cut), "%s", given);
    if (n < 0 || (size_t)n + PLACE_SUFFIX_MAX > sizeof(cut))
        return host->fail(call, DRAY_CONFIG, ENAMETOOLONG, "path: too long; choose a shorter one");
    char *slash = strrchr(cut, '/');
    if (!slash || !slash[1])
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not the path of a file; name a file in that folder", given);
    *slash = '\0';
    if (make_folders(cut) != 0)
        return place_fail(host, call, given, "make its folder");
    if (!realpath(cut[0] ? cut : "/", folder))
        return place_fail(host, call, given, "find its folder");
    size_t size = strlen(folder) + strlen(slash + 1) + 2;
    *path = host->resize(host, NULL, size);
    if (!*path)
        return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", given);
    snprintf(*path, size, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash + 1);
    return network ? DRAY_OK : refuse_network(host, call, folder);
}

int32_t place_check(const struct dray_host *host, struct dray_call *call, const char *path,
    const char *kind, int *missing)
{
    struct stat st;
    *missing = 0;
    if (os->lstat(path, &st) != 0) {
        if (errno != ENOENT)
            return place_fail(host, call, path, "look at it");
        *missing = 1;
        return DRAY_OK;
    }
    if (S_ISDIR(st.st_mode))
        return host->fail(
            call, DRAY_CONFIG, EISDIR, "%s: a folder, not a %s; name a file in it", path, kind);
    if (S_ISLNK(st.st_mode))
        return host->fail(
            call, DRAY_DENIED, ELOOP, "%s: a symbolic link; name the file that it leads to", path);
    if (!S_ISREG(st.st_mode))
        return host->fail(
            call, DRAY_CONFIG, 0, "%s: not a regular file; choose another path", path);
    return DRAY_OK;
}

char *place_beside(const struct dray_host *host, const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *beside = host->resize(host, NULL, size);
    if (beside)
        snprintf(beside, size, "%s%s", path, suffix);
    return beside;
}
