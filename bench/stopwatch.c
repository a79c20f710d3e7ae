/* SPDX-License-Identifier: Apache-2.0 */
#include "stopwatch.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t interrupted;

uint64_t stopwatch_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

double stopwatch_rate(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns ? (double)count * (double)NS_PER_S / (double)elapsed_ns : 0;
}

static void note_signal(int number)
{
    (void)number;
    interrupted = 1;
}

int stopwatch_catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigemptyset(&action.sa_mask);
    /* The second one ends the program: somebody is in a hurry. */
    action.sa_flags = (int)SA_RESETHAND;
    return sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0 ? 0 : -1;
}

int stopwatch_interrupted(void)
{
    return interrupted != 0;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

double stopwatch_quantile(double *values, size_t n, double part)
{
    if (n == 0)
        return 0;
    qsort(values, n, sizeof(*values), compare_doubles);
    double rank = ceil(part * (double)n);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return values[index < n ? index : n - 1];
}
