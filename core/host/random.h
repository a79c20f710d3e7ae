/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness from getrandom(2), read ahead in blocks by each thread; a forked child reads anew. */
#ifndef CORE_HOST_RANDOM_H
#define CORE_HOST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* DRAY_OK, or DRAY_IO if the system gives none: there is no weaker fallback. */
int random_bytes(void *out, size_t len);

/* A number in [0, 1) for jitter. */
double random_unit(void);

/* A UUIDv7 (RFC 9562, section 5.7) in lower case with a zero: 37 bytes. Ids made by one thread in
   one millisecond rise. */
int random_uuid(char out[37], int64_t wall_ms);

#endif
