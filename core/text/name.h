/* SPDX-License-Identifier: Apache-2.0 */
/* What names may be. */
#ifndef CORE_TEXT_NAME_H
#define CORE_TEXT_NAME_H

#include <stddef.h>

/* Ids, queues, types, groups: 1-64 of A-Z a-z 0-9 . _ : -, the first one alphanumeric. NULL if so,
   else why not, as a static phrase. */
const char *name_check(const char *text, size_t len);

/* Names for people and unique keys: UTF-8 of 1-255 bytes without control characters. */
const char *label_check(const char *text, size_t len);

/* Drivers: [a-z][a-z0-9_]{0,31}. */
const char *driver_name_check(const char *text);

/* Is `text` valid UTF-8 (RFC 3629)? */
int utf8_valid(const char *text, size_t len);

/* Copies at most `size - 1` bytes of `text`, invalid UTF-8 replaced by '?' and control characters
   but newline and tab by spaces; of a longer text the last bytes win, cut between characters.
   Returns the length written; adds a zero. */
size_t utf8_clean_tail(char *out, size_t size, const char *text, size_t len);

#endif
