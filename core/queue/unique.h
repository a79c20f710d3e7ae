/* SPDX-License-Identifier: Apache-2.0 */
/* Unique keys made of a job's content. */
#ifndef CORE_QUEUE_UNIQUE_H
#define CORE_QUEUE_UNIQUE_H

#include <stddef.h>

#define UNIQUE_KEY_SIZE 72 /* "sha256:", 64 digits, a zero */

/* The key of all jobs of `type` whose payloads are equal as JSON: the SHA-256 (FIPS 180-4) of the
   type, a zero byte and the canonical payload; of the bytes as they are where a number is out of
   the range that canonical JSON can hold. DRAY_OK or DRAY_NOMEM. */
int unique_key(
    char out[UNIQUE_KEY_SIZE], const char *type, const char *payload, size_t payload_len);

#endif
