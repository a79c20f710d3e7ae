/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open instance: what dray_open makes.
 *
 * One lock guards everything that moves: the inbox of waiting pushes, outcomes and renewals, the
 * handlers, the worker. It is never held across a handler or a callback. Whether it is held across
 * a driver call depends on the driver:
 *
 *   quick (never waits for I/O)   the lock is held; a call is short, and a hand-over costs more
 *                                 than it saves
 *   all others                    `leading` is set and the lock released; whoever comes meanwhile
 *                                 leaves its wish in the inbox, and the next leader takes all of
 *                                 them along in one turn (queue/turn.h)
 */
#ifndef CORE_QUEUE_INSTANCE_H
#define CORE_QUEUE_INSTANCE_H

#include "config/config.h"
#include "dray/dray.h"
#include "handler/handlers.h"
#include "host/log.h"
#include "queue/turn.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker;

struct dray {
    struct config *config;
    struct dray_clock *clock;
    struct log log;
    struct store *store;
    struct dray_info info;
    char owner[128]; /* "host:pid", the owner of our leases */
    unsigned generation;
    int quick;
    uint32_t budget_ms;

    pthread_mutex_t lock;
    pthread_cond_t led; /* broadcast when the lead is handed over, and when a worker is gone */
    int leading;
    int waiting_alone; /* how many wait to be alone with the driver */
    int handed_over;   /* `leading` is still set, for one of them to take */
    uint64_t turn_us;  /* moving mean of what a turn takes; not on a quick driver */
    struct inbox inbox;
    struct batch batch; /* large: one for all turns, as there is one turn at a time */
    struct handlers handlers;
    struct worker *worker; /* NULL: none */
    _Atomic int closing;   /* handlers that outlive their worker see it without the lock */
    uint32_t abandoned;    /* handlers that outlived the stop of their worker */
};

/* DRAY_OK if the instance may be used here, else DRAY_FORKED, DRAY_CLOSED or DRAY_INVALID (NULL).
 */
int instance_check(const struct dray *dray, struct dray_error *error);

/* An error for a wish that needs a capability or an operation that the driver lacks. */
int instance_lacks(const struct dray *dray, const char *what, struct dray_error *error);

/* Takes the lock, on a quick driver after watching it for a moment: for the hot paths, where it is
   free again sooner than a sleeper would be awake. */
void instance_lock(struct dray *dray);

static inline struct dray_str str_of(const char *text, size_t len)
{
    struct dray_str str = {text, len};
    return str;
}

/* NULL gives the empty string. */
struct dray_str str_from(const char *text);

#endif
