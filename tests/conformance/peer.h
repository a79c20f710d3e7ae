/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process on the same store, which does one thing at a time when it is asked to.
 *
 * It is started while this process has the store closed: what a driver keeps open does not survive
 * a fork.
 */
#ifndef CONFORMANCE_PEER_H
#define CONFORMANCE_PEER_H

#include "subject.h"

#include <sys/types.h>

struct peer {
    pid_t pid;
    int to, from;
};

/* What the peer does when it is asked for `what`; the subject is its own, open since the first
   time. The result is handed back. */
typedef int32_t (*peer_fn)(struct subject *subject, int what);

/* 0 if there is no process to be had. */
int peer_start(struct peer *peer, const struct subject *subject, peer_fn act);

/* The result, or DRAY_UNKNOWN if the peer gives none within 20 seconds. */
int32_t peer_ask(struct peer *peer, int what);

/* It closes its store and ends. */
void peer_end(struct peer *peer);

#endif
