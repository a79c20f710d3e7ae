/* SPDX-License-Identifier: Apache-2.0 */
/* The instance that any function can use without being handed one. */
#include "host/error.h"
#include "queue/instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct dray *shared;

/* A child forgets its parent's instance, whose threads and files are not its own, and whoever just
   had the lock. */
static void forget(void)
{
    pthread_mutex_init(&lock, NULL);
    shared = NULL;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget);
}

static void take_lock(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
}

static int use_path(char *path, size_t size, const char *found, struct dray_error *error)
{
    if ((size_t)snprintf(path, size, "%s", found) >= size)
        return error_set(error, DRAY_LIMIT, 0, "the path of the configuration is too long");
    return DRAY_OK;
}

int dray_find_config(char *path, size_t size, struct dray_error *error)
{
    static const char *const places[] = {"./config/queue.yaml", "./queue.yaml"};
    const char *named = secure_getenv("DRAY_CONFIG");
    if (named && *named)
        return use_path(path, size, named, error);
    for (size_t i = 0; i < 2; i++) {
        if (access(places[i], F_OK) == 0)
            return use_path(path, size, places[i], error);
    }
    return error_set(error, DRAY_NOTFOUND, ENOENT,
        "no configuration: neither DRAY_CONFIG nor ./config/queue.yaml nor ./queue.yaml is there; "
        "name one, or write one with a line `queue: {driver: sqlite}`");
}

struct dray *dray_default(struct dray_error *error)
{
    take_lock();
    if (!shared) {
        char path[4096];
        struct dray *dray = NULL;
        if (dray_find_config(path, sizeof(path), error) == DRAY_OK &&
            dray_open(&dray, &(struct dray_options){.config = path}, error) == DRAY_OK)
            shared = dray;
    }
    struct dray *found = shared;
    pthread_mutex_unlock(&lock);
    return found;
}

void dray_default_close(void)
{
    take_lock();
    struct dray *dray = shared;
    shared = NULL;
    pthread_mutex_unlock(&lock);
    dray_close(dray);
}
