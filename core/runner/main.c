/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray-runner: the small program between a worker and what runs outside of it.
 *
 *     dray-runner --exec PARENT MEMORY FOLDER PROGRAM ARGV0 [ARG...]
 *
 * It prepares a process as no posix_spawn can, which becomes PROGRAM, and stays behind as its guard
 * (guard.h), bound to the life of the parent (process id PARENT): at most MEMORY bytes of address
 * space (0: no bound), no core files, no new privileges, private files, in FOLDER, with descriptors
 * 0 to 2 alone. Session, signals and environment are set by who starts it. What fails is one line
 * on standard error and exit status 126 or 127, as shells do it.
 *
 * `--module` will run handler modules in children.
 */
#include "guard.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE 64
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_THERE 127

/* What select() can hold; programs that want more raise it themselves up to the hard limit. */
#define OPEN_FILES 1024u

static int complain(const char *what, int code)
{
    fprintf(stderr, "dray-runner: %s: %s\n", what, strerror(errno));
    return code;
}

static int parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9')
        return 0;
    *out = value;
    return 1;
}

/* Lowers a limit; never raises one. */
static int lower_limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return -1;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > hard)
        limit.rlim_max = hard;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > soft)
        limit.rlim_cur = soft;
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

static int confine(uint64_t memory, const char *folder)
{
    umask(077);
    if (lower_limit(RLIMIT_CORE, 0, 0) != 0 ||
        lower_limit(RLIMIT_NOFILE, OPEN_FILES, RLIM_INFINITY) != 0)
        return complain("cannot set limits", EXIT_CANNOT_RUN);
    if (memory > 0 && lower_limit(RLIMIT_AS, memory, memory) != 0)
        return complain("cannot limit the memory", EXIT_CANNOT_RUN);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return complain("cannot give up privileges", EXIT_CANNOT_RUN);
    if (chdir(folder) != 0)
        return complain(folder, EXIT_CANNOT_RUN);
    if (close_range(3, UINT_MAX, 0) != 0)
        return complain("cannot close descriptors", EXIT_CANNOT_RUN);
    return 0;
}

struct program {
    uint64_t memory;
    const char *folder;
    const char *path;
    char **argv;
};

static int become(const void *arg)
{
    const struct program *program = arg;
    int code = confine(program->memory, program->folder);
    if (code != 0)
        return code;
    execv(program->path, program->argv);
    code = errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_THERE : EXIT_CANNOT_RUN;
    fprintf(stderr, "dray-runner: cannot run %s: %s%s\n", program->path, strerror(errno),
        errno == ENOEXEC  ? "; a script begins with a line such as #!/bin/sh"
        : errno == ENOENT ? "; is the interpreter in its first line there?"
                          : "");
    return code;
}

static int run_exec(char **args, int n)
{
    uint64_t parent = 0;
    struct program program = {0};
    if (n < 5 || !parse_number(args[0], &parent) || !parse_number(args[1], &program.memory)) {
        fputs("usage: dray-runner --exec PARENT MEMORY FOLDER PROGRAM ARGV0 [ARG...]\n", stderr);
        return EXIT_USAGE;
    }
    program.folder = args[2];
    program.path = args[3];
    program.argv = args + 4;
    int worker = parent <= INT_MAX ? guard_open((pid_t)parent) : -1;
    if (worker >= 0)
        guard_run(worker, become, &program);
    return EXIT_CANNOT_RUN;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--exec") == 0)
        return run_exec(argv + 2, argc - 2);
    if (argc > 1 && strcmp(argv[1], "--module") == 0) {
        fputs("dray-runner: handler modules cannot run in children yet; use isolation: thread\n",
            stderr);
        return EXIT_USAGE;
    }
    fputs("dray-runner starts command handlers for dray workers; it is not run by hand\n", stderr);
    return EXIT_USAGE;
}
