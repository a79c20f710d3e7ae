/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A death signal reaches a process alone, not what it has started; and no signal at all tells a
 * group that somebody outside of it has died. So a process of the group waits for it. It is the
 * program's parent and the group's leader: what the worker signals and waits for. Whatever signal
 * the group gets, it stays until the program has ended, all but SIGKILL.
 */
#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int complain(const char *what)
{
    fprintf(stderr, "dray-runner: %s: %s\n", what, strerror(errno));
    return -1;
}

int guard_open(pid_t worker)
{
    int fd = pidfd_open(worker, 0);
    /* Asked after it was opened: as long as it is our parent its number is its own. */
    if (getppid() != worker) {
        fputs("dray-runner: the worker is gone\n", stderr);
        return -1;
    }
    return fd >= 0 ? fd : complain("cannot watch the worker");
}

/* Ends as the program did, for the worker to see. */
static _Noreturn void end_like(const siginfo_t *end)
{
    sigset_t one;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* the program's core would be of interest */
    if (end->si_code == CLD_EXITED)
        _exit(end->si_status);
    signal(end->si_status, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, end->si_status);
    kill(getpid(), end->si_status);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + end->si_status);
}

static _Noreturn void kill_all(pid_t program)
{
    kill(-getpid(), SIGKILL); /* the group, and us in it; there is none if we lead none */
    kill(program, SIGKILL);
    _exit(1);
}

static _Noreturn void stand(int worker, pid_t program)
{
    siginfo_t end;
    int fd = pidfd_open(program, 0);
    /* The program's are its own alone: its end of a pipe is the end. */
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        close(i);
    for (;;) {
        struct pollfd fds[2] = {{.fd = worker, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        int n = fd < 0 ? -1 : poll(fds, 2, -1);
        if (n < 0 && (fd < 0 || errno != EINTR))
            kill_all(program); /* unwatched it may not run */
        memset(&end, 0, sizeof(end));
        if (n > 0 && fds[1].revents && waitid(P_PID, (id_t)program, &end, WEXITED) == 0)
            end_like(&end);
        if (n > 0 && fds[0].revents)
            kill_all(program);
    }
}

static _Noreturn void begin(
    pid_t guard, const sigset_t *mask, int (*become)(const void *arg), const void *arg)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        complain("cannot bind to the guard's life");
        _exit(GUARD_FAILED);
    }
    if (getppid() != guard)
        _exit(GUARD_FAILED);
    sigprocmask(SIG_SETMASK, mask, NULL);
    _exit(become(arg));
}

int guard_run(int worker, int (*become)(const void *arg), const void *arg)
{
    sigset_t all, before;
    pid_t guard = getpid();
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0)
        return complain("cannot block signals");
    /* A group that was stopped is woken by it, to be killed. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) != 0)
        return complain("cannot bind to the worker's life");
    pid_t program = fork();
    if (program == 0)
        begin(guard, &before, become, arg);
    if (program < 0)
        return complain("cannot start a process");
    stand(worker, program);
}
