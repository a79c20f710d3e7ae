/* SPDX-License-Identifier: Apache-2.0 */
#include "common/gate.h"

#include <pthread.h>
#include <time.h>

/* Gates are shared by what hashes alike: a collision costs a little waiting, and there is nothing
   to count or to leak. No thread ever holds two, but for one that forks. */
#define NGATES 64
#define LOOK_MS 50
#define NAP_FIRST_NS 30000
#define NAP_LONGEST_NS 2000000
#define FORK_MS 1000

/* A thread that has waited for long. */
struct waiter {
    struct waiter *next;
};

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    int taken;
    struct waiter *first; /* while there is one, it is next */
};

static struct gate gates[NGATES];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local uint64_t forking; /* a bit for each gate that this thread holds meanwhile */

static void open_all(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    for (int i = 0; i < NGATES; i++) {
        gates[i].taken = 0;
        gates[i].first = NULL;
        pthread_mutex_init(&gates[i].mutex, NULL);
        pthread_cond_init(&gates[i].opened, &attr);
    }
    pthread_condattr_destroy(&attr);
}

/* ---- fork ---- */

/* A child of fork may open the same files for itself. What the parent's other threads were about
   stays halfway there for ever: a gate that nobody opens, a transaction of SQLite's that nobody
   ends. So a fork waits until they have passed; not for long, since they may wait for another
   process, or fork themselves. */
static void before_fork(void)
{
    int64_t deadline_ms = gate_clock_ms() + FORK_MS;

    forking = 0;
    for (int i = 0; i < NGATES; i++)
        forking |= (uint64_t)gate_enter(&gates[i], deadline_ms) << i;
}

static void after_fork(void)
{
    for (int i = 0; i < NGATES; i++) {
        if (forking >> i & 1)
            gate_leave(&gates[i]);
    }
}

static void init(void)
{
    open_all();
    pthread_atfork(before_fork, after_fork, open_all);
}

struct gate *gate_of(uint64_t dev, uint64_t ino)
{
    pthread_once(&once, init);
    return &gates[(dev * 31 + ino) % NGATES];
}

int64_t gate_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int may_enter(const struct gate *gate, const struct waiter *self)
{
    return !gate->taken && (!gate->first || gate->first == self);
}

static void queue_join(struct gate *gate, struct waiter *self)
{
    struct waiter **place = &gate->first;

    while (*place && *place != self)
        place = &(*place)->next;
    *place = self;
}

static void queue_leave(struct gate *gate, const struct waiter *self)
{
    struct waiter **place = &gate->first;

    while (*place && *place != self)
        place = &(*place)->next;
    if (*place)
        *place = self->next;
}

static void wait_until(struct gate *gate, int64_t until_ms)
{
    struct timespec at = {(time_t)(until_ms / 1000), (long)(until_ms % 1000 * 1000000)};

    pthread_cond_timedwait(&gate->opened, &gate->mutex, &at);
}

/* Whoever wakes up has to be back before a thread that is always at it, and never is. */
int gate_enter(struct gate *gate, int64_t deadline_ms)
{
    struct waiter self = {NULL};
    int64_t starves_ms = 0;

    pthread_mutex_lock(&gate->mutex);
    while (!may_enter(gate, &self)) {
        int64_t now = gate_clock_ms();
        if (now >= deadline_ms)
            break;
        if (!starves_ms)
            starves_ms = now + GATE_STARVING_MS;
        if (now >= starves_ms)
            queue_join(gate, &self);
        int64_t until = now < starves_ms ? starves_ms : now + LOOK_MS;
        wait_until(gate, until < deadline_ms ? until : deadline_ms);
    }
    int entered = may_enter(gate, &self);
    queue_leave(gate, &self);
    if (entered)
        gate->taken = 1;
    else if (!gate->taken)
        pthread_cond_broadcast(&gate->opened); /* its turn is somebody else's */
    pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void gate_leave(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->taken = 0;
    if (gate->first)
        pthread_cond_broadcast(&gate->opened); /* one of them alone may enter */
    else
        pthread_cond_signal(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_nap(long *nap_ns)
{
    if (*nap_ns < NAP_FIRST_NS)
        *nap_ns = NAP_FIRST_NS;
    nanosleep(&(struct timespec){0, *nap_ns}, NULL);
    if (*nap_ns < NAP_LONGEST_NS)
        *nap_ns += *nap_ns / 2;
}
