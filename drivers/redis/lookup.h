/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts become addresses on threads of their own: the system's resolver takes no deadline,
 * and while a name server hangs it takes its time, often longer than a call has. What is not known
 * in time is waited for by the next call.
 */
#ifndef REDIS_LOOKUP_H
#define REDIS_LOOKUP_H

#include <stdint.h>

/* Names under way at a time. */
#define LOOKUPS_MOST 8u

#define LOOKUP_HOST 256u

/* In the place of an error of getaddrinfo. */
#define LOOKUP_LATE 1

struct lookup;

/* All zero at first. */
struct lookups {
    struct lookup *slots[LOOKUPS_MOST];
};

/*
 * The address of a host as a number in text, which may be what `host` is already. 0; LOOKUP_LATE if
 * the deadline (store_clock_ms) passed first; or an error of getaddrinfo. One thread at a time may
 * use the same `lookups`.
 */
int lookup_address(
    struct lookups *lookups, const char *host, char address[LOOKUP_HOST], int64_t deadline_ms);

/* What such a result means, for a message. */
const char *lookup_reason(int result);

/* Waits for nobody: threads that still wait for a name server end by themselves. */
void lookups_free(struct lookups *lookups);

#endif
