/* SPDX-License-Identifier: Apache-2.0 */
#include "signals.h"

#include <dray/dray.h>

#include <errno.h>
#include <time.h>

int signals_block(struct signals *signals)
{
    static const int all[] = {SIGTERM, SIGINT, SIGTSTP, SIGCONT, SIGUSR1};
    sigemptyset(&signals->set);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sigaddset(&signals->set, all[i]);
    int sys = pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    if (sys) {
        errno = sys;
        return -1;
    }
    return 0;
}

/* Dies of the signal, so that whoever waits for us sees its name and not a status of ours. */
static void die_of(int number)
{
    signal(number, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
}

static void obey(struct signals *signals, int number)
{
    switch (number) {
    case SIGTERM:
    case SIGINT:
        if (atomic_exchange(&signals->stopping, 1))
            die_of(number);
        dray_worker_request_stop(signals->dray);
        break;
    case SIGTSTP:
        atomic_store(&signals->held, 1);
        dray_worker_hold(signals->dray, 1);
        break;
    case SIGCONT:
        atomic_store(&signals->held, 0);
        dray_worker_hold(signals->dray, 0);
        break;
    default:
        if (!atomic_load(&signals->ended))
            signals->state(signals->user);
        break;
    }
}

static void *serve(void *arg)
{
    struct signals *signals = arg;
    struct timespec tick = {signals->tick_ms / 1000, (long)(signals->tick_ms % 1000) * 1000000};
    while (!atomic_load(&signals->ended)) {
        int number = sigtimedwait(&signals->set, NULL, signals->tick ? &tick : NULL);
        if (number > 0)
            obey(signals, number);
        else if (errno == EAGAIN && signals->tick)
            signals->tick(signals->user);
    }
    return NULL;
}

int signals_start(struct signals *signals)
{
    atomic_store(&signals->ended, 0);
    int sys = pthread_create(&signals->thread, NULL, serve, signals);
    if (sys) {
        errno = sys;
        return -1;
    }
    return 0;
}

void signals_repeat(struct signals *signals)
{
    if (atomic_load(&signals->held))
        dray_worker_hold(signals->dray, 1);
    if (atomic_load(&signals->stopping))
        dray_worker_request_stop(signals->dray);
}

void signals_end(struct signals *signals)
{
    atomic_store(&signals->ended, 1);
    pthread_kill(signals->thread, SIGUSR1);
    pthread_join(signals->thread, NULL);
}
