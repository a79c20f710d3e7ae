/* SPDX-License-Identifier: Apache-2.0 */
/* Checking JSON without building it: dispatch looks at every payload, so this is hot. */
#ifndef CORE_TEXT_JSON_H
#define CORE_TEXT_JSON_H

#include <stddef.h>

#define JSON_DEPTH_MAX 32

/*
 * Is `text` exactly one JSON value (RFC 8259) in valid UTF-8, nested at most JSON_DEPTH_MAX deep?
 * NULL if so, else why not, as a static phrase ("a string is not closed"); *at is the offset.
 * Escapes are checked, lone surrogates and NUL escapes included (jansson refuses both, so a handler
 * could not parse them).
 */
const char *json_check(const char *text, size_t len, size_t *at);

/*
 * The canonical form of a valid value: keys sorted, no spaces, escapes normalised. *out is malloced
 * with a zero behind it. DRAY_OK, DRAY_NOMEM, or DRAY_INVALID where jansson cannot hold it (numbers
 * out of range); the caller then takes the bytes as they are.
 */
int json_canonical(const char *text, size_t len, char **out, size_t *out_len);

#endif
