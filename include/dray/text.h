/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How Dray reads and writes durations, sizes and times, and how it guesses what was meant. Pure
 * functions; any thread.
 */
#ifndef DRAY_TEXT_H
#define DRAY_TEXT_H

#include "dray/export.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DRAY_TIME_SIZE 32 /* bytes for a formatted time or duration and its zero */

/* "500ms", "90s", "5m", "1h", "7d", "1.5h"; a bare number is seconds. At most ten years. DRAY_OK,
   or DRAY_INVALID and *ms untouched. */
DRAY_API int dray_parse_duration(const char *text, uint64_t *ms);

/* "5242880", "5MiB", "64KiB", "1GiB" (also KB, MB, GB as powers of 1000). */
DRAY_API int dray_parse_size(const char *text, uint64_t *bytes);

/* RFC 3339 with a zone ("2026-12-01T09:00:00Z", "...+01:00", fractions of a second allowed), to
   milliseconds since 1970 UTC. */
DRAY_API int dray_parse_time(const char *text, int64_t *wall_ms);

/* RFC 3339 UTC with milliseconds: "2026-12-01T09:00:00.000Z". Returns `out`. */
DRAY_API char *dray_format_time(int64_t wall_ms, char out[DRAY_TIME_SIZE]);

/* For people, at most two units: "450ms", "1.5s", "3m 20s", "2h 5m", "7d". Returns `out`. */
DRAY_API char *dray_format_duration(uint64_t ms, char out[DRAY_TIME_SIZE]);

/* The word of `words` ([n]) that `word` most likely meant, or NULL if none is near: edit distance
   with transpositions (Damerau 1964) of at most a third of the length, and at least 1. */
DRAY_API const char *dray_nearest(const char *word, const char *const *words, size_t n);

#ifdef __cplusplus
}
#endif

#endif
