/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 500

static int64_t now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* Ends in exit, not in _exit: a leak checker that is linked in has its say. */
_Noreturn static void be_child(
    struct journal *journal, pid_t parent, void (*work)(void *), void *user)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    work(user);
    atomic_store(&journal->finished, 1);
    exit(0);
}

/* Waits for the child's end. NULL, or what it was that took too long. */
static const char *watch(
    const struct journal *journal, const struct guard_limits *limits, int pidfd)
{
    uint64_t moves = UINT64_MAX;
    int64_t start = now_s(), moved = start;

    for (;;) {
        struct pollfd ready = {.fd = pidfd, .events = POLLIN};
        int n = poll(&ready, 1, LOOK_MS);
        if (n > 0 || (n < 0 && errno != EINTR))
            return NULL;
        if (*limits->stop)
            return "is interrupted";
        uint64_t now = atomic_load(&journal->moves);
        if (now != moves)
            moved = now_s();
        moves = now;
        if (now_s() - moved > limits->still_s)
            return "hangs";
        if (now_s() - start > limits->whole_s)
            return "does not come to an end";
    }
}

static void say(struct journal *journal, const char *what)
{
    size_t len = strnlen(journal->failure, sizeof(journal->failure) - 1);

    snprintf(journal->failure + len, sizeof(journal->failure) - len, "%s%s%s%s%s%s",
        len ? "; then " : "", journal->where, journal->where[0] ? ": " : "", what,
        journal->doing[0] ? " in " : " outside of any call", journal->doing);
}

static void judge(struct journal *journal, const char *late, int status)
{
    char what[128];

    if (late) {
        say(journal, late);
    } else if (WIFSIGNALED(status)) {
        snprintf(what, sizeof(what), "crashes (SIG%s)", sigabbrev_np(WTERMSIG(status)));
        say(journal, what);
    } else if (!atomic_load(&journal->finished)) {
        snprintf(what, sizeof(what), "ends the process with status %d", WEXITSTATUS(status));
        say(journal, what);
    } else if (WEXITSTATUS(status) != 0) {
        snprintf(what, sizeof(what),
            "the process ends with status %d, not 0: a leak, or an exit "
            "handler of the driver",
            WEXITSTATUS(status));
        say(journal, what);
    }
}

void guard_run(
    struct journal *journal, const struct guard_limits *limits, void (*work)(void *), void *user)
{
    pid_t parent = getpid();
    int status = 0;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(journal, parent, work, user);
    int pidfd = child > 0 ? pidfd_open(child, 0) : -1;
    if (pidfd < 0) {
        snprintf(journal->failure, sizeof(journal->failure), "no process to run it in: %s",
            strerror(errno));
    }
    /* Also here: whoever comes first, the group is there before it is killed. */
    if (child > 0)
        setpgid(child, child);
    const char *late = pidfd < 0 ? NULL : watch(journal, limits, pidfd);
    if (child > 0) {
        /* Its group: a check has processes of its own. It is not reaped yet, so the number is
           still its own. */
        kill(-child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        judge(journal, late, status);
    }
    if (pidfd >= 0)
        close(pidfd);
}
