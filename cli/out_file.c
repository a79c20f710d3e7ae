/* SPDX-License-Identifier: Apache-2.0 */
#include "out_file.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const struct cli *cli, const char *path, int sys)
{
    int denied = sys == EACCES || sys == EPERM || sys == EROFS;
    return fail(cli, denied ? EXIT_DENIED : EXIT_IO, denied ? DRAY_DENIED : DRAY_IO,
        "%s: cannot be written: %s", path, strerror(sys));
}

/* ---- a signal in the middle ---- */

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGXFSZ};
#define DEADLY (sizeof(deadly) / sizeof(deadly[0]))

static char *volatile unfinished; /* the draft to remove, or NULL */

static void remove_and_die(int number)
{
    if (unfinished)
        unlink(unfinished);
    raise(number); /* delivered on return, with its default action */
}

static void watch_signals(void)
{
    for (size_t i = 0; i < DEADLY; i++) {
        struct sigaction before;
        struct sigaction ours = {.sa_handler = remove_and_die, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&ours.sa_mask);
        /* What is ignored, as under nohup, stays so. */
        if (sigaction(deadly[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(deadly[i], &ours, NULL);
    }
}

static void block_signals(sigset_t *before)
{
    sigset_t all;
    sigemptyset(&all);
    for (size_t i = 0; i < DEADLY; i++)
        sigaddset(&all, deadly[i]);
    sigprocmask(SIG_BLOCK, &all, before);
}

/* ---- the draft ---- */

/* Makes the draft and remembers it as one step, to a signal. */
static int make_draft(struct out_file *out)
{
    sigset_t before;
    watch_signals();
    block_signals(&before);
    int fd = mkostemp(out->draft, O_CLOEXEC);
    int sys = errno;
    if (fd < 0)
        out->draft[0] = 0;
    else
        unfinished = out->draft;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = sys;
    return fd;
}

/* A file of the same folder, with the rights that a new file would have. */
static int open_draft(struct out_file *out)
{
    int len = snprintf(out->draft, sizeof(out->draft), "%s.XXXXXX", out->path);
    if (len < 0 || (size_t)len >= sizeof(out->draft)) {
        out->draft[0] = 0;
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = make_draft(out);
    if (fd < 0)
        return -1;
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) == 0 && (out->file = fdopen(fd, "w")))
        return 0;
    int sys = errno;
    close(fd);
    out_file_drop(out);
    errno = sys;
    return -1;
}

int out_file_open(const struct cli *cli, const char *path, struct out_file *out)
{
    struct stat st;
    memset(out, 0, sizeof(*out));
    /* Behind a symbolic link the file itself is replaced, not the link. */
    int there = realpath(path, out->path) != NULL;
    if (!there && strlen(path) < sizeof(out->path))
        snprintf(out->path, sizeof(out->path), "%s", path);
    else if (!there)
        return refuse(cli, path, ENAMETOOLONG);
    if (there && stat(out->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        out->file = fopen(out->path, "we");
        return out->file ? EXIT_DONE : refuse(cli, path, errno);
    }
    return open_draft(out) == 0 ? EXIT_DONE : refuse(cli, path, errno);
}

/* A new name is safe once its folder is. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash > path ? (size_t)(slash - path) : 1;
    snprintf(folder, sizeof(folder), "%.*s", (int)len, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = fsync(fd);
    int sys = errno;
    close(fd);
    errno = sys;
    return failed;
}

int out_file_finish(const struct cli *cli, struct out_file *out)
{
    int failed = ferror(out->file);
    int sys = !failed ? 0 : out->sys ? out->sys : EIO;
    if (!failed && (fflush(out->file) != 0 || (out->draft[0] && fsync(fileno(out->file)) != 0))) {
        failed = 1;
        sys = errno;
    }
    if (fclose(out->file) != 0 && !failed) {
        failed = 1;
        sys = errno;
    }
    out->file = NULL;
    if (!failed && out->draft[0] &&
        (rename(out->draft, out->path) != 0 || sync_folder(out->path) != 0)) {
        failed = 1;
        sys = errno;
    }
    if (!failed) {
        unfinished = NULL;
        return EXIT_DONE;
    }
    out_file_drop(out);
    return refuse(cli, out->path, sys);
}

void out_file_drop(struct out_file *out)
{
    if (out->file)
        fclose(out->file);
    out->file = NULL;
    if (out->draft[0])
        unlink(out->draft);
    unfinished = NULL;
    out->draft[0] = 0;
}
