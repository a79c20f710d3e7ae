/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callbacks: one at a time, on one thread, in the order in which the store answered. No lock is
 * held while they run.
 */
#ifndef CORE_WORKER_EVENTS_H
#define CORE_WORKER_EVENTS_H

#include "dray/dray.h"

struct dray_attempt;
struct events;

enum event_kind {
    EVENT_START,
    EVENT_STOP,
    EVENT_COMPLETE,
    EVENT_ERROR,
    EVENT_DEAD,
    EVENT_WORKER_ERROR,
};

/* A queue of events and, with `thread`, the thread that calls them. NULL without memory. */
struct events *events_new(struct dray *dray, const struct dray_callbacks *callbacks, int thread);

/* Adds an event. `attempt` is NULL for events of the worker. Any thread; takes no other lock. */
void events_add(struct events *events, enum event_kind kind, const struct dray_attempt *attempt,
    int code, const char *error, uint64_t retry_in_ms);

/* Calls all that wait on this thread, for events without a thread. */
void events_run(struct events *events);

/* More than a worker should run ahead of its callbacks? */
int events_crowded(const struct events *events);

/* Calls what is left, ends the thread and frees. NULL is allowed. */
void events_free(struct events *events);

#endif
