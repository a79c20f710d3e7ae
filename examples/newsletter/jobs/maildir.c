/* SPDX-License-Identifier: CC0-1.0 */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

int maildir_make(const char *folder)
{
    char path[PATH_MAX];
    if (strlen(folder) + sizeof("/tmp") > sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* Parents first: var before var/mail. */
    for (size_t i = 1; folder[i]; i++) {
        if (folder[i] != '/')
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)i, folder);
        if (make_folder(path) != 0)
            return -1;
    }
    static const char *const parts[] = {"", "/tmp", "/new", "/cur"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", folder, parts[i]);
        if (make_folder(path) != 0)
            return -1;
    }
    return 0;
}

/* time.pid_n.host, with the two characters that a name may not hold written as octal. */
static void make_name(char *name, size_t size)
{
    static atomic_uint deliveries;
    char host[65] = "localhost", safe[4 * sizeof(host)];
    gethostname(host, sizeof(host) - 1);
    size_t len = 0;
    for (const char *p = host; *p; p++) {
        if (*p == '/' || *p == ':')
            len += (size_t)snprintf(safe + len, sizeof(safe) - len, "\\%03o", (unsigned)*p);
        else
            safe[len++] = *p;
    }
    safe[len] = 0;
    snprintf(name, size, "%lld.%ld_%u.%s", (long long)time(NULL), (long)getpid(),
        atomic_fetch_add(&deliveries, 1), safe);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_synced(const char *path, const char *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int failed = write_all(fd, data, len) != 0 || fsync(fd) != 0;
    int code = errno;
    if (close(fd) != 0 && !failed) {
        failed = 1;
        code = errno;
    }
    if (failed)
        unlink(path);
    errno = code;
    return failed ? -1 : 0;
}

/* The new name is on disk only when its folder is. */
static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    int code = errno;
    close(fd);
    errno = code;
    return result;
}

int maildir_deliver(
    const char *folder, const char *message, size_t len, char *name, size_t name_size)
{
    char from[PATH_MAX], to[PATH_MAX];
    make_name(name, name_size);
    int size = (int)sizeof(from);
    if (snprintf(from, sizeof(from), "%s/tmp/%s", folder, name) >= size ||
        snprintf(to, sizeof(to), "%s/new/%s", folder, name) >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (write_synced(from, message, len) != 0)
        return -1;
    if (rename(from, to) != 0) {
        int code = errno;
        unlink(from);
        errno = code;
        return -1;
    }
    *strrchr(to, '/') = 0;
    return sync_folder(to);
}
