/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of unknown origin made harmless for terminals and for tab-separated lines: control
 * characters (C0, DEL and C1, which terminals obey) and bytes that are not UTF-8 show as \n, \t or
 * \xNN.
 */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* Bytes that the escaped form needs, without a zero. */
size_t escaped_len(const char *text, size_t len);

/* Writes it to `out`, which has room for escaped_len bytes and a zero. */
void escape(char *out, const char *text, size_t len);

void print_escaped(FILE *file, const char *text, size_t len);

/* The length in bytes of the UTF-8 character at `text`, or 0 if there is none (RFC 3629). */
size_t utf8_char(const char *text, size_t len);

/* How many characters a valid text shows: code points, wide ones not told apart. */
size_t utf8_columns(const char *text);

#endif
