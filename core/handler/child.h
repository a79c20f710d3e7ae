/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One child process with a session of its own: started through dray-runner, signalled as a group,
 * reaped. Installs no signal handler, starts no thread, leaves no descriptor or zombie behind.
 */
#ifndef CORE_HANDLER_CHILD_H
#define CORE_HANDLER_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int pidfd;    /* readable when it has ended */
    int out, err; /* its standard output and error, non-blocking; -1 once closed */
};

/* What people are told when somebody else has reaped the child. */
#define CHILD_LOST                                                                                 \
    "its exit status is lost: the program around the worker ignores SIGCHLD or waits for any "     \
    "child"

/* Starts argv[0], with `input` as its standard input. NULL, or what failed as a static phrase;
   errno says why. */
const char *child_start(struct child *child, char *const argv[], char *const envp[],
    const char *input, size_t input_len);

/* A signal to the whole group. Before child_reap alone: until then its number is not reused. */
void child_signal(const struct child *child, int sig);

/* How it ended. */
struct child_end {
    int lost;   /* the program around us has taken the status (SIGCHLD ignored, wait for any) */
    int signal; /* that killed it, or 0 */
    int status; /* its exit status */
};

/* Call once pidfd is readable. Kills what is left of the group and frees all but out and err. */
void child_reap(struct child *child, struct child_end *end);

/* Closes what is open of out and err, or one of them. */
void child_close(struct child *child);
void child_close_one(int *fd);

#endif
