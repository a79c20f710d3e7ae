/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A relay between clients and a server, both on unix sockets, that does one chosen harm to the
 * bytes it passes. It runs on a thread of its own; the functions below may be called by one other.
 */
#ifndef TESTS_REDIS_PROXY_H
#define TESTS_REDIS_PROXY_H

#include <pthread.h>
#include <stdint.h>

#define PROXY_PAIRS 8

enum proxy_side { PROXY_REQUEST = 0, PROXY_REPLY = 1 };

enum proxy_harm {
    PROXY_NONE = 0,
    PROXY_CUT = 1,   /* passes `at` bytes, then ends both connections; once */
    PROXY_STALL = 2, /* passes `at` bytes and keeps the rest until proxy_release; once */
    PROXY_DELAY = 3, /* a pause of some milliseconds after `at` bytes; once */
    PROXY_SPLIT = 4  /* every byte is sent by itself */
};

/* A client's connection and the one made for it. The numbers are descriptors; -1: none. */
struct proxy_pair {
    int fd[2];   /* by the side that is read from: the client, the server */
    int stalled; /* 1 + the side that is not read */
    char *held;
    uint64_t nheld;
};

struct proxy {
    char listens[96];
    char server[96];
    int listener;
    int wake[2];
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t done;  /* a release has been carried out */
    int stop, release;
    enum proxy_harm harm;
    enum proxy_side side;
    uint64_t at;
    int fired;
    uint64_t passed[2]; /* bytes since proxy_set, those kept or cut off left out */
    struct proxy_pair pairs[PROXY_PAIRS];
};

/* Listens at `listens` for clients of the server at `server`. 0, or -1. */
int proxy_start(struct proxy *proxy, const char *listens, const char *server);
void proxy_stop(struct proxy *proxy);

/* From now on; offsets and counts begin at 0. What an earlier harm keeps stays kept. */
void proxy_set(struct proxy *proxy, enum proxy_harm harm, enum proxy_side side, uint64_t at);
uint64_t proxy_passed(struct proxy *proxy, enum proxy_side side);
int proxy_fired(struct proxy *proxy);
/* Clients whose connections stand: one that has given up is counted until all it sent is read. */
unsigned proxy_clients(struct proxy *proxy);

/* Sends all that is kept to where it was to go, and goes on there. Returns once it is sent. */
void proxy_release(struct proxy *proxy);

/* Ends all connections. Returns once they are ended. */
void proxy_cut_all(struct proxy *proxy);

#endif
