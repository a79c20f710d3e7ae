/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers in processes of their own on one store, and what becomes of their jobs when they, or the
 * store, come to harm. What the handlers did is kept in an oracle outside the store (oracle.h).
 *
 * The program that uses this is the worker too: its main begins with crew_work.
 */
#ifndef TESTS_FAULT_CREW_H
#define TESTS_FAULT_CREW_H

#include "dray/dray.h"
#include "scratch.h"

#include <sys/types.h>

#define CREW_WORKERS 3
#define CREW_POISON_ATTEMPTS 3u

struct crew {
    const char *driver;
    const char *lease;
    char folder[SCRATCH_SIZE];
    char store[96]; /* a file, or a server's socket */
    char oracle[96];
    char go[96];       /* once that is there, a sleepy job's first attempt ends */
    struct dray *dray; /* the test's own */
    pid_t worker[CREW_WORKERS];
    char (*ids)[65]; /* of all that were pushed */
    size_t nids;
};

/* The worker's exit status if the program was started as one, else -1. */
int crew_work(int argc, char **argv);

/* The store with the crew's handlers; NULL after a word to standard error. */
struct dray *crew_open(const char *driver, const char *store, const char *lease);

/* A folder, an open store and no workers yet. `store` NULL: a file in that folder. All of these end
   the test on failure. */
void crew_gather(struct crew *crew, const char *driver, const char *store, const char *lease);
void crew_dismiss(struct crew *crew);
pid_t crew_start(struct crew *crew);
void crew_kill(pid_t pid);
/* Until the worker has opened its store, or has ended. */
void crew_wait_open(const struct crew *crew, pid_t pid);

/* The path of crew->go, beside the oracle. */
void crew_name_go(char *out, size_t size, const char *oracle_path);

void crew_nap_ms(long ms);
int crew_rounds(void); /* more with DRAY_LONG */

/*
 * D2, D3, T6, T11, F2, L1: rounds of pushes, each with some harm done at a random moment. Every job
 * that was pushed is done, or dead after its attempts; none starts again once the store has
 * acknowledged its end; none stays behind.
 */
void crew_campaign(struct crew *crew, void (*harm)(struct crew *crew, void *user), void *user);

/* A harm: SIGKILL for one of the workers, and another in its place. */
void crew_kill_one(struct crew *crew, void *user);

/* A worker is stopped past its lease, while another one takes its job; `then` is what the other one
   has done, so many times, by the time the first goes on. */
void crew_stop_and_go_on(
    struct crew *crew, const char *second_runs_ms, const char *then, int times);

#endif
