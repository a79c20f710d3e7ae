/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that grow, and MessagePack into them
 * (https://github.com/msgpack/msgpack/blob/master/spec.md). A failed allocation is remembered; look
 * once, at the end.
 */
#ifndef REDIS_BUFFER_H
#define REDIS_BUFFER_H

#include "dray/driver.h"

struct buffer {
    const struct dray_host *host;
    char *data;
    uint64_t len, room;
    int failed; /* an allocation has failed: the content is not whole */
};

/* Empties it, keeping its memory unless that has become large. */
void buffer_reset(struct buffer *buffer);
void buffer_free(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const void *data, uint64_t len);

/* `len` bytes to be filled in by the caller at once; NULL without memory. */
char *buffer_space(struct buffer *buffer, uint64_t len);

void pack_array(struct buffer *buffer, uint32_t n);
/* Numbers beyond 2^50 become 2^50: a script counts in doubles, and adds to them. */
void pack_number(struct buffer *buffer, uint64_t value);
/* -1: "never". */
void pack_minus_one(struct buffer *buffer);
void pack_bytes(struct buffer *buffer, const void *data, uint64_t len);
void pack_str(struct buffer *buffer, struct dray_str text);

/* The head of a string whose `len` bytes the caller fills in; NULL without memory. */
char *pack_space(struct buffer *buffer, uint64_t len);

/* Big-endian numbers of 1 to 8 bytes. */
void put_number(char *out, uint32_t bytes, uint64_t value);
uint64_t get_number(const char *in, uint32_t bytes);

#endif
