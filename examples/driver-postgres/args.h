/* SPDX-License-Identifier: CC0-1.0 */
/*
 * The values of a statement, in PostgreSQL's binary format: texts as they are, numbers as bigint.
 * $1 is always the host's time, or NULL where the server's counts. A failed allocation is
 * remembered; args_ready tells.
 */
#ifndef POSTGRES_ARGS_H
#define POSTGRES_ARGS_H

#include <dray/driver.h>

#define ARGS_MAX 24

struct args {
    const struct dray_host *host;
    int n;
    const char *values[ARGS_MAX];
    int lengths[ARGS_MAX], formats[ARGS_MAX];
    char numbers[ARGS_MAX][8];
    int64_t offsets[ARGS_MAX]; /* of an array in `bytes`; -1: another value */
    char *bytes;
    uint64_t used, room;
    uint64_t array; /* where the array under way begins */
    int failed;
};

struct store;

void args_begin(struct store *store);
void args_free(struct store *store);

void args_text(struct store *store, struct dray_str text);
void args_number(struct store *store, int64_t number);
/* Milliseconds that SQL adds to a time: so many at most that the sum is one. */
int64_t args_span_of(uint64_t ms);
void args_span(struct store *store, uint64_t ms);

/* text[] or bigint[] of `n` elements, which follow one by one. */
void args_texts(struct store *store, uint32_t n);
void args_numbers(struct store *store, uint32_t n);
void args_add_text(struct store *store, struct dray_str text);
void args_add_number(struct store *store, int64_t number);

/* Makes the values fit for sending; 0 if memory was missing. */
int args_ready(struct store *store);

#endif
