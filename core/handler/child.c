/* SPDX-License-Identifier: Apache-2.0 */
#include "handler/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

void child_close_one(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

/* Our descriptors stay clear of 0 to 2, which a program may have closed: in the child they would be
   overwritten before they are moved there. */
static int lift(int *fd)
{
    if (*fd < 0 || *fd > STDERR_FILENO)
        return *fd >= 0;
    int above = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    child_close_one(fd);
    *fd = above;
    return above >= 0;
}

/* A pipe whose reading end, ours, does not block. */
static int make_pipe(int *reading, int *writing)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    *reading = ends[0];
    *writing = ends[1];
    return lift(reading) && lift(writing) && fcntl(*reading, F_SETFL, O_NONBLOCK) == 0;
}

/* The input as a file in memory that nobody can change any more: the child reads it at its own
   pace, may seek in it or map it, and nobody has to feed it. */
static int make_input(const char *input, size_t len, int *out)
{
    int fd = memfd_create("dray-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || !lift(&fd))
        return 0;
    for (size_t written = 0; written < len;) {
        ssize_t n = write(fd, input + written, len - written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            child_close_one(&fd);
            return 0;
        }
        written += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0 ||
        lseek(fd, 0, SEEK_SET) != 0) {
        child_close_one(&fd);
        return 0;
    }
    *out = fd;
    return 1;
}

/* posix_spawn and not fork: it copies no address space, and it is allowed among threads. */
static int spawn(pid_t *pid, char *const argv[], char *const envp[], int in, int out, int err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int sys = posix_spawn_file_actions_init(&actions);
    if (sys != 0)
        return sys;
    sys = posix_spawnattr_init(&attr);
    if (sys != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return sys;
    }
    sys = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (sys == 0)
        sys = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (sys == 0)
        sys = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    if (sys == 0)
        sys = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (sys == 0)
        sys = posix_spawnattr_setsigmask(&attr, &none);
    if (sys == 0)
        sys = posix_spawnattr_setsigdefault(&attr, &all);
    if (sys == 0)
        sys = posix_spawnattr_setflags(
            &attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (sys == 0)
        sys = posix_spawn(pid, argv[0], &actions, &attr, argv, envp);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return sys;
}

/* Without a descriptor for it a child cannot be waited for with a time limit, so it ends at once.
   Unless it has, and was reaped behind our back: then its number may be another's by now. */
static const char *abandon(struct child *child)
{
    int sys = errno;
    if (sys == ESRCH)
        return CHILD_LOST;
    child_signal(child, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    errno = sys;
    return "cannot watch the child";
}

const char *child_start(struct child *child, char *const argv[], char *const envp[],
    const char *input, size_t input_len)
{
    int in = -1;
    int out = -1;
    int err = -1;
    const char *problem = NULL;
    *child = (struct child){.pid = -1, .pidfd = -1, .out = -1, .err = -1};
    if (!make_input(input, input_len, &in))
        problem = "cannot hand over the payload";
    else if (!make_pipe(&child->out, &out) || !make_pipe(&child->err, &err))
        problem = "cannot make a pipe";
    if (!problem) {
        int sys = spawn(&child->pid, argv, envp, in, out, err);
        if (sys != 0) {
            errno = sys;
            problem = "cannot start dray-runner";
        }
    }
    if (!problem) {
        child->pidfd = pidfd_open(child->pid, 0);
        if (child->pidfd < 0)
            problem = abandon(child);
    }
    child_close_one(&in);
    child_close_one(&out);
    child_close_one(&err);
    if (problem)
        child_close(child);
    return problem;
}

void child_signal(const struct child *child, int sig)
{
    kill(-child->pid, sig);
}

void child_reap(struct child *child, struct child_end *end)
{
    *end = (struct child_end){0};
    siginfo_t info = {0};
    int got;
    /* First only looked at: as long as it is a zombie, the number of its group is its own. */
    do
        got = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOWAIT);
    while (got != 0 && errno == EINTR);
    if (got == 0) {
        child_signal(child, SIGKILL);
        do
            got = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
        while (got != 0 && errno == EINTR);
    }
    if (got != 0)
        end->lost = 1;
    else if (info.si_code == CLD_EXITED)
        end->status = info.si_status;
    else
        end->signal = info.si_status;
    child_close_one(&child->pidfd);
}

void child_close(struct child *child)
{
    child_close_one(&child->out);
    child_close_one(&child->err);
}
