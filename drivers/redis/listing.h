/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings that have begun. The server cannot walk its jobs in pieces without showing some twice,
 * so a listing first gathers the ids of its queues, puts them in order (ids of the usual kind begin
 * with their time) and then asks for the jobs, a page at a time.
 */
#ifndef REDIS_LISTING_H
#define REDIS_LISTING_H

#include "redis/buffer.h"

#define LISTINGS_MAX 4u

struct listing_row {
    uint32_t queue; /* offsets of names in the text: a length byte and the name */
    uint32_t id;
};

struct listing {
    uint64_t serial; /* 0: free */
    uint64_t used;   /* when it was last used, as a count */
    struct buffer text;
    struct buffer rows; /* of struct listing_row */

    /* What is still to be gathered (gather.h). */
    struct buffer queues; /* of uint32_t: the names of all queues */
    uint64_t at_queue;    /* the one under way */
    uint32_t states;      /* 0: all jobs there are; else the sets of these */
    uint32_t at_set;      /* the one under way */
    uint64_t sorted;      /* rows of those before it */
    char cursor[24];      /* the server's, in that queue */
};

struct listings {
    struct listing at[LISTINGS_MAX];
    uint64_t serial, count;
};

struct store;

/* A fresh listing; the one not used for longest gives way. */
struct listing *listing_begin(struct store *store);

/* That of a cursor, or NULL if it has given way. */
struct listing *listing_find(struct store *store, uint64_t serial);

/* Adds a name, and tells where it is. */
uint32_t listing_add_name(struct listing *listing, struct dray_str name);
void listing_add(struct listing *listing, uint32_t queue, struct dray_str id);

/* Puts the rows from `first` on in order, each once. */
void listing_sort(struct listing *listing, uint64_t first);

uint64_t listing_count(const struct listing *listing);
struct dray_str listing_name(const struct listing *listing, uint32_t at);
struct dray_str listing_queue(const struct listing *listing, uint64_t row);
struct dray_str listing_id(const struct listing *listing, uint64_t row);

void listing_end(struct listing *listing);
void listings_free(struct store *store);

#endif
