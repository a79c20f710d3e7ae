/* SPDX-License-Identifier: Apache-2.0 */
/* A list behind one mutex and one condition variable: the least that a queue in memory can be. */
#include "crowd.h"
#include "footprint.h"
#include "peers.h"
#include "stopwatch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXECUTORS_MAX 64u

struct node {
    struct node *next;
    char payload[PEER_PAYLOAD_LEN];
};

struct list {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct node *first, *last;
    unsigned sleeping;
    int closed;
    struct tally tally;
};

static void list_init(struct list *list)
{
    memset(list, 0, sizeof(*list));
    pthread_mutex_init(&list->mutex, NULL);
    pthread_cond_init(&list->work, NULL);
    tally_init(&list->tally);
}

static void free_nodes(struct node *node)
{
    while (node) {
        struct node *next = node->next;
        free(node);
        node = next;
    }
}

static void list_done(struct list *list)
{
    free_nodes(list->first);
    tally_done(&list->tally);
    pthread_cond_destroy(&list->work);
    pthread_mutex_destroy(&list->mutex);
}

/* Puts `n` jobs in under one lock. */
static int list_put(void *arg, unsigned n)
{
    struct list *list = arg;
    struct node *first = NULL;
    struct node *last = NULL;
    for (unsigned i = 0; i < n; i++) {
        struct node *node = malloc(sizeof(*node));
        if (!node) {
            free_nodes(first);
            return -1;
        }
        memcpy(node->payload, peer_payload, PEER_PAYLOAD_LEN);
        node->next = NULL;
        if (last)
            last->next = node;
        else
            first = node;
        last = node;
    }
    pthread_mutex_lock(&list->mutex);
    if (list->last)
        list->last->next = first;
    else
        list->first = first;
    list->last = last;
    unsigned sleeping = list->sleeping;
    pthread_mutex_unlock(&list->mutex);
    if (sleeping > 0)
        pthread_cond_signal(&list->work);
    return 0;
}

static void *executor_main(void *arg)
{
    struct list *list = arg;
    pthread_mutex_lock(&list->mutex);
    for (;;) {
        struct node *node = list->first;
        if (node) {
            list->first = node->next;
            if (!list->first)
                list->last = NULL;
            pthread_mutex_unlock(&list->mutex);
            tally_hit(&list->tally);
            free(node);
            pthread_mutex_lock(&list->mutex);
        } else if (list->closed) {
            break;
        } else {
            list->sleeping++;
            pthread_cond_wait(&list->work, &list->mutex);
            list->sleeping--;
        }
    }
    pthread_mutex_unlock(&list->mutex);
    return NULL;
}

static unsigned executors_start(struct list *list, pthread_t *threads, unsigned n)
{
    unsigned started = 0;
    while (started < n && started < EXECUTORS_MAX &&
           pthread_create(&threads[started], NULL, executor_main, list) == 0)
        started++;
    return started;
}

static void executors_join(struct list *list, const pthread_t *threads, unsigned n)
{
    pthread_mutex_lock(&list->mutex);
    list->closed = 1;
    pthread_cond_broadcast(&list->work);
    pthread_mutex_unlock(&list->mutex);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static uint64_t list_count(struct list *list)
{
    uint64_t n = 0;
    for (const struct node *node = list->first; node; node = node->next)
        n++;
    return n;
}

static int queue_dispatch(const struct load *load, struct sample *out)
{
    struct list list;
    list_init(&list);
    struct handed_in in;
    int rc = crowd_dispatch(load, list_put, &list, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->dispatched = in.jobs;
    out->handled = list_count(&list);
    list_done(&list);
    return rc;
}

static int queue_end_to_end(const struct load *load, struct sample *out)
{
    struct list list;
    list_init(&list);
    pthread_t threads[EXECUTORS_MAX];
    unsigned n = executors_start(&list, threads, load->executors);
    struct handed_in in;
    struct lap begin = stopwatch_start();
    int rc = n == load->executors ? crowd_dispatch(load, list_put, &list, &in) : -1;
    if (rc == 0)
        rc = tally_wait(&list.tally, in.jobs);
    struct lap spent = stopwatch_since(&begin);
    executors_join(&list, threads, n);
    if (rc == 0) {
        stopwatch_rates(out->values, in.jobs, &spent);
        out->dispatched = in.jobs;
        out->handled = atomic_load(&list.tally.handled);
    }
    list_done(&list);
    return rc;
}

static int queue_drain(const struct load *load, struct sample *out)
{
    struct list list;
    list_init(&list);
    struct handed_in in;
    int rc = crowd_dispatch(load, list_put, &list, &in);
    pthread_t threads[EXECUTORS_MAX];
    struct lap begin = stopwatch_start();
    unsigned n = executors_start(&list, threads, load->executors);
    if (rc == 0)
        rc = tally_wait(&list.tally, in.jobs);
    struct lap spent = stopwatch_since(&begin);
    stopwatch_rates(out->values, in.jobs, &spent);
    executors_join(&list, threads, n);
    out->dispatched = in.jobs;
    out->handled = atomic_load(&list.tally.handled);
    list_done(&list);
    return rc;
}

static int queue_space(const struct load *load, struct sample *out)
{
    struct list list;
    list_init(&list);
    struct footprint before = footprint_take(NULL);
    struct handed_in in;
    int rc = crowd_dispatch(load, list_put, &list, &in);
    struct footprint after = footprint_take(NULL);
    footprint_sample(out, &before, &after, in.jobs);
    out->dispatched = in.jobs;
    out->handled = list_count(&list);
    list_done(&list);
    return rc;
}

const struct peer peer_queue = {
    .name = "bare queue",
    .dispatch = queue_dispatch,
    .end_to_end = queue_end_to_end,
    .drain = queue_drain,
    .space = queue_space,
};
