/* SPDX-License-Identifier: CC0-1.0 */
/*
 * Shows: a program that carries its own worker. Four threads dispatch jobs while a worker runs them
 * in the background; callbacks tell what becomes of each; every tenth job fails once and is tried
 * again; at the end the worker is stopped and says what it did.
 *
 * No configuration file: the driver is named here. QUEUE_DRIVER=... in the environment, or another
 * line of YAML, would put the same jobs anywhere else.
 */
#include <dray/dray.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
#define JOBS_EACH 250

/* How many jobs have ended, well or not. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int ended;
static atomic_long sum;

static int add(struct dray_attempt *attempt, void *user)
{
    (void)user;
    long n = strtol(dray_attempt_payload(attempt, NULL), NULL, 10);
    if (n % 10 == 0 && dray_attempt_number(attempt) == 1)
        return dray_attempt_fail(attempt, "%ld is a round number; once more", n);
    atomic_fetch_add(&sum, n);
    return DRAY_OK;
}

static void on_end(const struct dray_event *event, void *user)
{
    (void)user;
    if (event->error)
        fprintf(stderr, "%s %s is dead: %s\n", event->type, event->id, event->error);
    pthread_mutex_lock(&lock);
    ended++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void *dispatch_some(void *arg)
{
    struct dray *dray = arg;
    struct dray_error error = DRAY_ERROR_INIT;
    for (int i = 0; i < JOBS_EACH; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "%d", i);
        if (dray_dispatch(dray, "add", payload, NULL, NULL, &error) != DRAY_OK) {
            fprintf(stderr, "embed: %s\n", error.text);
            exit(1);
        }
    }
    return NULL;
}

int main(void)
{
    struct dray *dray;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_open(&dray, &(struct dray_options){.driver = "memory"}, &error) != DRAY_OK)
        return fprintf(stderr, "embed: %s\n", error.text), 1;

    const struct dray_handler_options twice = {
        .max_attempts = 2, .backoff = {.strategy = DRAY_BACKOFF_FIXED, .base_ms = 5}};
    const struct dray_worker_options options = {
        .concurrency = 2, .callbacks = {.on_job_complete = on_end, .on_job_dead = on_end}};
    if (dray_on(dray, "add", add, NULL, &twice, &error) != DRAY_OK ||
        dray_worker_start(dray, &options, &error) != DRAY_OK)
        return fprintf(stderr, "embed: %s\n", error.text), 1;

    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, dispatch_some, dray) != 0)
            return perror("embed"), 1;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    pthread_mutex_lock(&lock);
    while (ended < THREADS * JOBS_EACH)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);

    struct dray_work_report report = {0};
    if (dray_worker_stop(dray, &report, &error) != DRAY_OK)
        return fprintf(stderr, "embed: %s\n", error.text), 1;
    printf("%d jobs dispatched, %llu attempts, %llu succeeded, %llu failed; the sum is %ld\n",
        THREADS * JOBS_EACH, (unsigned long long)report.processed,
        (unsigned long long)report.succeeded, (unsigned long long)report.failed, atomic_load(&sum));
    return dray_close(dray) == DRAY_OK && report.dead == 0 ? 0 : 1;
}
