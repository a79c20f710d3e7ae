/* SPDX-License-Identifier: Apache-2.0 */
#include "host/fork.h"

#include <pthread.h>

/* Written only in a child, before it has a second thread. */
static unsigned generation = 1;

static void count_fork(void)
{
    generation++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

unsigned fork_generation(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    return generation;
}
