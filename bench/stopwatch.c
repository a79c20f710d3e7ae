/* SPDX-License-Identifier: Apache-2.0 */
#include "stopwatch.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t interrupted;

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t stopwatch_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

struct lap stopwatch_start(void)
{
    return (struct lap){stopwatch_ns(), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

struct lap stopwatch_since(const struct lap *start)
{
    struct lap now = stopwatch_start();
    return (struct lap){now.wall_ns - start->wall_ns, now.cpu_ns - start->cpu_ns};
}

void stopwatch_rates(double *values, uint64_t count, const struct lap *spent)
{
    if (count == 0 || spent->wall_ns == 0)
        return;
    values[0] = (double)count * (double)NS_PER_S / (double)spent->wall_ns;
    values[1] = (double)spent->cpu_ns / (double)count;
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
