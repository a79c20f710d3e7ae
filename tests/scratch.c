/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 64        /* folders at a time */
#define PARENT_MOST 40 /* of their paths, so that a socket's path inside has room */

#define MEMORY_BYTES (256u * 1024 * 1024) /* several times what a test needs */

static char folders[MOST][SCRATCH_SIZE]; /* "": none */
static pid_t owner;

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_all(void)
{
    for (int i = 0; i < MOST && getpid() == owner; i++) {
        if (folders[i][0])
            scratch_remove(folders[i]);
    }
}

/* Nothing in a handler may walk folders itself. */
static void remove_and_die(int signal)
{
    static char rm[] = "rm", flags[] = "-rf", end[] = "--";
    char *argv[MOST + 4] = {rm, flags, end};
    int n = 3;
    for (int i = 0; i < MOST; i++) {
        if (folders[i][0])
            argv[n++] = folders[i];
    }
    pid_t child = getpid() == owner ? fork() : -1;
    if (child == 0) {
        execv("/bin/rm", argv);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
    raise(signal); /* for good: the handler stood for one */
}

static void begin(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = remove_and_die, .sa_flags = (int)SA_RESETHAND}, old;
    owner = getpid();
    memset(folders, 0, sizeof(folders)); /* those of whom we were forked from */
    if (atexit(remove_all) != 0)
        exit(1);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(ends[i], &action, NULL);
    }
}

static void make_in(const char *parent, char folder[SCRATCH_SIZE])
{
    int i = 0;
    if (owner != getpid())
        begin();
    while (i < MOST && folders[i][0])
        i++;
    snprintf(folder, SCRATCH_SIZE, "%s/dray-test-XXXXXX", parent);
    if (i == MOST || !mkdtemp(folder)) {
        perror(folder);
        exit(1);
    }
    memcpy(folders[i], folder, SCRATCH_SIZE);
}

void scratch_make(char folder[SCRATCH_SIZE])
{
    const char *tmp = getenv("TMPDIR");
    make_in(tmp && tmp[0] == '/' && strlen(tmp) <= PARENT_MOST ? tmp : "/tmp", folder);
}

void scratch_make_in_memory(char folder[SCRATCH_SIZE])
{
    struct statvfs info;
    if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &info) == 0 &&
        info.f_bavail >= MEMORY_BYTES / (info.f_frsize ? info.f_frsize : 1))
        make_in("/dev/shm", folder);
    else
        scratch_make(folder);
}

void scratch_remove(const char *folder)
{
    int i = 0;
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    while (i < MOST && strcmp(folders[i], folder) != 0)
        i++;
    if (i < MOST)
        folders[i][0] = 0;
}
