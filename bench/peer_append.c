/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log file: one write and one fdatasync a batch. A dispatcher appends its jobs; a worker takes
 * them from a counter in memory and appends the ends of up to 100 at once. The limit of any store
 * that keeps a journal and promises durability against power loss.
 */
#include "crowd.h"
#include "footprint.h"
#include "peers.h"
#include "stopwatch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 1000u
#define TAKE_MAX 100u

struct journal {
    int fd;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    uint64_t waiting; /* jobs written and not yet taken */
    int closed, failed;
    struct tally tally;
    char path[4096];
    char lines[BATCH_MAX * (PEER_PAYLOAD_LEN + 1)];
};

/* Holding the mutex. */
static int append(struct journal *journal, unsigned n)
{
    size_t len = (size_t)n * (PEER_PAYLOAD_LEN + 1);
    if (write(journal->fd, journal->lines, len) == (ssize_t)len && fdatasync(journal->fd) == 0)
        return 0;
    perror("dray-bench: bare log file");
    return -1;
}

static int journal_put(void *arg, unsigned n)
{
    struct journal *journal = arg;
    if (n > BATCH_MAX)
        return -1;
    pthread_mutex_lock(&journal->mutex);
    int rc = append(journal, n);
    if (rc == 0)
        journal->waiting += n;
    pthread_cond_signal(&journal->work);
    pthread_mutex_unlock(&journal->mutex);
    return rc;
}

static void *worker_main(void *arg)
{
    struct journal *journal = arg;
    pthread_mutex_lock(&journal->mutex);
    for (;;) {
        unsigned n = journal->waiting < TAKE_MAX ? (unsigned)journal->waiting : TAKE_MAX;
        if (n == 0 && journal->closed)
            break;
        if (n == 0) {
            pthread_cond_wait(&journal->work, &journal->mutex);
            continue;
        }
        journal->waiting -= n;
        if (append(journal, n) != 0) {
            journal->failed = 1;
            break;
        }
        pthread_mutex_unlock(&journal->mutex);
        for (unsigned i = 0; i < n; i++)
            tally_hit(&journal->tally);
        pthread_mutex_lock(&journal->mutex);
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

static struct journal *journal_open(const struct load *load)
{
    static unsigned number;
    struct journal *journal = calloc(1, sizeof(*journal));
    if (!journal)
        return NULL;
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_cond_init(&journal->work, NULL);
    tally_init(&journal->tally);
    snprintf(journal->path, sizeof(journal->path), "%s/bare-%u.log", load->folder, ++number);
    for (char *line = journal->lines; line < journal->lines + sizeof(journal->lines);) {
        memcpy(line, peer_payload, PEER_PAYLOAD_LEN);
        line[PEER_PAYLOAD_LEN] = '\n';
        line += PEER_PAYLOAD_LEN + 1;
    }
    journal->fd = open(journal->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (journal->fd >= 0)
        return journal;
    perror(journal->path);
    free(journal);
    return NULL;
}

static void journal_close(struct journal *journal)
{
    close(journal->fd);
    unlink(journal->path);
    tally_done(&journal->tally);
    pthread_cond_destroy(&journal->work);
    pthread_mutex_destroy(&journal->mutex);
    free(journal);
}

static int append_dispatch(const struct load *load, struct sample *out)
{
    struct journal *journal = journal_open(load);
    if (!journal)
        return -1;
    struct handed_in in;
    int rc = crowd_dispatch(load, journal_put, journal, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->dispatched = in.jobs;
    out->handled = journal->waiting;
    journal_close(journal);
    return rc;
}

/* `backlog`: hand everything in before the clock and the worker start. */
static int run_worker(const struct load *load, struct sample *out, int backlog)
{
    struct journal *journal = journal_open(load);
    if (!journal)
        return -1;
    struct handed_in in = {.jobs = 0};
    int rc = backlog ? crowd_dispatch(load, journal_put, journal, &in) : 0;
    pthread_t worker;
    struct lap begin = stopwatch_start();
    if (rc == 0)
        rc = pthread_create(&worker, NULL, worker_main, journal) == 0 ? 0 : -1;
    if (rc == 0) {
        if (!backlog)
            rc = crowd_dispatch(load, journal_put, journal, &in);
        rc |= tally_wait(&journal->tally, in.jobs);
        struct lap spent = stopwatch_since(&begin);
        stopwatch_rates(out->values, in.jobs, &spent);
        pthread_mutex_lock(&journal->mutex);
        journal->closed = 1;
        pthread_cond_signal(&journal->work);
        pthread_mutex_unlock(&journal->mutex);
        pthread_join(worker, NULL);
        rc |= journal->failed;
    }
    out->dispatched = in.jobs;
    out->handled = atomic_load(&journal->tally.handled);
    journal_close(journal);
    return rc;
}

static int append_end_to_end(const struct load *load, struct sample *out)
{
    return run_worker(load, out, 0);
}

static int append_drain(const struct load *load, struct sample *out)
{
    return run_worker(load, out, 1);
}

const struct peer peer_append = {
    .name = "bare log file",
    .dispatch = append_dispatch,
    .end_to_end = append_end_to_end,
    .drain = append_drain,
};
