/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray-runner: the small program between a worker and what runs outside of it.
 *
 *     dray-runner --exec PARENT MEMORY FOLDER PROGRAM ARGV0 [ARG...]
 *
 * It prepares the process as no posix_spawn can and becomes PROGRAM: bound to the life of its
 * parent (process id PARENT), at most MEMORY bytes of address space (0: no bound), no core files,
 * no new privileges, private files, in FOLDER, with descriptors 0 to 2 alone. Session, signals and
 * environment are set by who starts it. What fails is one line on standard error and exit status
 * 126 or 127, as shells do it.
 *
 * `--module` will run handler modules in children.
 */
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

/* The death of the parent is that of its thread which started us; it waits for us all the while.
   Asked after the wish, because the parent may have died before it. */
static int bind_to_parent(uint64_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return complain("cannot bind to the worker's life", EXIT_CANNOT_RUN);
    if ((uint64_t)getppid() != parent) {
        fputs("dray-runner: the worker is gone\n", stderr);
        return EXIT_CANNOT_RUN;
    }
    return 0;
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

static int run_exec(char **args, int n)
{
    uint64_t parent = 0;
    uint64_t memory = 0;
    if (n < 5 || !parse_number(args[0], &parent) || !parse_number(args[1], &memory)) {
        fputs("usage: dray-runner --exec PARENT MEMORY FOLDER PROGRAM ARGV0 [ARG...]\n", stderr);
        return EXIT_USAGE;
    }
    const char *program = args[3];
    int code = bind_to_parent(parent);
    if (code == 0)
        code = confine(memory, args[2]);
    if (code != 0)
        return code;
    execv(program, args + 4);
    code = errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_THERE : EXIT_CANNOT_RUN;
    fprintf(stderr, "dray-runner: cannot run %s: %s%s\n", program, strerror(errno),
        errno == ENOEXEC  ? "; a script begins with a line such as #!/bin/sh"
        : errno == ENOENT ? "; is the interpreter in its first line there?"
                          : "");
    return code;
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
