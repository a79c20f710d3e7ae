/* SPDX-License-Identifier: Apache-2.0 */
/* What claims to be a sentinel, on a port of loopback and a thread of its own, with the faults that
   a test gives it. */
#ifndef TESTS_REDIS_HERALD_H
#define TESTS_REDIS_HERALD_H

#include <pthread.h>

#define HERALD_CLIENTS 16

struct herald {
    int port;
    int listener;
    int wake[2];
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    int stop;
    int tells;   /* the master's port, to whoever asks */
    int mute;    /* questions are heard and not answered */
    int hangs;   /* connections are taken by the system, and nothing is read or said */
    int publish; /* a port to publish as the new master's, once; 0: none */
    int named;   /* the first letter of that master's name, "main" */
    int late;    /* a port to answer to the questions that were not answered; 0: none */
    unsigned asked, subscribed, connections;
};

/* End the test if something fails. */
void herald_start(struct herald *herald, int tells);
void herald_stop(struct herald *herald);

/* One of the members above, from now on. */
void herald_set(struct herald *herald, int *member, int value);
unsigned herald_get(struct herald *herald, const unsigned *member);

#endif
