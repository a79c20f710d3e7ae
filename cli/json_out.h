/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one JSON object on one line, keys in the order of the calls. Payloads and results are
 * spliced in as they are stored, so numbers keep their digits and keys their order.
 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_out {
    FILE *file;
    int first; /* nothing written yet in the innermost object or array */
};

void json_start(struct json_out *out, FILE *file);
void json_finish(struct json_out *out); /* ends the line */

/* `key` is NULL for the outermost value and for members of an array. */
void json_object(struct json_out *out, const char *key);
void json_end_object(struct json_out *out);
void json_array(struct json_out *out, const char *key);
void json_end_array(struct json_out *out);

/* NULL is null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json_out *out, const char *key, const char *text);
/* A JSON value as it is, without its line breaks; NULL is null. */
void json_value(struct json_out *out, const char *key, const char *json, size_t len);
void json_int(struct json_out *out, const char *key, int64_t value);
void json_uint(struct json_out *out, const char *key, uint64_t value);
void json_bool(struct json_out *out, const char *key, int value);
void json_null(struct json_out *out, const char *key);
/* Below 0 is null: a rate over nothing. */
void json_rate(struct json_out *out, const char *key, double value);
/* Milliseconds since 1970 as RFC 3339; 0 is null. */
void json_time(struct json_out *out, const char *key, int64_t wall_ms);

#endif
