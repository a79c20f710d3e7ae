/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of commands run: does what its first argument says. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int echo_length(void)
{
    char buffer[65536];
    unsigned long total = 0;
    unsigned sum = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)buffer[i];
        total += (unsigned long)n;
    }
    printf("{\"bytes\":%lu,\"sum\":%u}\n", total, sum);
    return n < 0;
}

/* Can the payload be changed? It must not. */
static int scribble(void)
{
    return write(STDIN_FILENO, "x", 1) == 1 || ftruncate(STDIN_FILENO, 0) == 0;
}

/* Its descriptors, its surroundings, its limits: what a command inherits. */
static int describe(void)
{
    char folder[4096];
    struct rlimit core, files;
    sigset_t blocked;
    int ignored = 0;
    int masked = 0;
    DIR *dir = opendir("/proc/self/fd");
    printf("{\"fds\":\"");
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) != dirfd(dir))
            printf("%s ", e->d_name);
    }
    closedir(dir);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int sig = 1; sig < 32; sig++) {
        struct sigaction action;
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            ignored++;
        masked += sigismember(&blocked, sig) == 1;
    }
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    getrlimit(RLIMIT_CORE, &core);
    getrlimit(RLIMIT_NOFILE, &files);
    printf("\",\"signals\":%d,\"masked\":%d,\"privileges\":%d,\"death\":%d,\"umask\":%d,"
           "\"leader\":%d,\"core\":%d,\"files\":%d,\"folder\":\"%s\"}\n",
        ignored, masked, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), death, (int)umask(0),
        getsid(0) == getpgrp(), (int)core.rlim_cur, files.rlim_cur <= 1024,
        getcwd(folder, sizeof(folder)));
    return 0;
}

/* A line for each variable, on standard error. */
static int show_environment(void)
{
    for (char **e = environ; *e; e++)
        fprintf(stderr, "%s\n", *e);
    return 1;
}

/* Ignores what it is told, and so does its own child; it writes both their numbers down. */
static int be_stubborn(const char *file)
{
    signal(SIGTERM, SIG_IGN);
    pid_t grandchild = fork();
    if (grandchild != 0) {
        /* Under another name first: who waits for the file finds it complete. */
        char fresh[4096];
        snprintf(fresh, sizeof(fresh), "%s.new", file);
        FILE *out = fopen(fresh, "w");
        if (!out)
            return 1;
        fprintf(out, "%d %d\n", (int)getpid(), (int)grandchild);
        fclose(out);
        if (rename(fresh, file) != 0)
            return 1;
        fputs("still here\n", stderr);
    }
    for (;;)
        pause();
}

/* Leaves a process behind that holds its output. */
static int leave_orphan(void)
{
    pid_t orphan = fork();
    if (orphan == 0) {
        for (;;)
            pause();
    }
    printf("%d\n", (int)orphan);
    return 0;
}

static int flood(FILE *stream)
{
    char line[1024];
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 8192; i++)
        fwrite(line, 1, sizeof(line), stream);
    fputs("the end\n", stream);
    return 3;
}

static int eat_memory(void)
{
    char *volatile block = malloc(512u * 1024 * 1024); /* or the compiler spares itself the call */
    if (!block) {
        fprintf(stderr, "no memory: %s\n", strerror(errno));
        return 1;
    }
    memset(block, 1, 512u * 1024 * 1024);
    free(block);
    return 0;
}

static void stop_gently(int sig)
{
    (void)sig;
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const char *value = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "say") == 0) {
        fputs(value, stdout);
        fputs(argc > 3 ? argv[3] : "", stderr);
        return argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    }
    if (strcmp(mode, "length") == 0)
        return echo_length();
    if (strcmp(mode, "scribble") == 0)
        return scribble();
    if (strcmp(mode, "describe") == 0)
        return describe();
    if (strcmp(mode, "environment") == 0)
        return show_environment();
    if (strcmp(mode, "signal") == 0)
        return raise((int)strtol(value, NULL, 10));
    if (strcmp(mode, "stubborn") == 0)
        return be_stubborn(value);
    if (strcmp(mode, "orphan") == 0)
        return leave_orphan();
    if (strcmp(mode, "flood") == 0)
        return flood(strcmp(value, "out") == 0 ? stdout : stderr);
    if (strcmp(mode, "memory") == 0)
        return eat_memory();
    if (strcmp(mode, "gentle") == 0) {
        signal(SIGTERM, stop_gently);
        fputs("ready\n", stderr);
        for (;;)
            pause();
    }
    return 99;
}
