/* SPDX-License-Identifier: CC0-1.0 */
/*
 * The descriptor behind `watch`. Whoever makes work sends NOTIFY with the queue's name; those who
 * watch have said LISTEN on their connection. What is given out is an epoll descriptor around the
 * connection's socket, which is left out while a call is under way (its answers are no bells), and
 * around an eventfd for bells that were heard meanwhile. So it stays the same while connections
 * come and go.
 */
#ifndef POSTGRES_BELL_H
#define POSTGRES_BELL_H

#include <dray/driver.h>

struct store;

struct bell {
    int watching; /* the descriptors are there */
    int epoll;    /* given out */
    int event;
    int socket;   /* in the epoll set; -1: none */
    char *queues; /* watched: names, each ended by a zero byte */
    uint64_t size;
};

int32_t bell_watch(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd);
void bell_close(struct store *store);

/* A new connection: listens, and rings, for nobody knows what was missed. */
int32_t bell_find(struct store *store, struct dray_call *call);
/* The connection is about to be closed. */
void bell_lose(struct store *store);

/* A call begins, and ends. */
void bell_mute(struct store *store);
void bell_unmute(struct store *store);

/* Forgets what has been heard: before a look. */
void bell_clear(struct store *store);

#endif
