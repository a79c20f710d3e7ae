/* SPDX-License-Identifier: Apache-2.0 */
/* One character of UTF-8, for the scanners of this folder. */
#ifndef CORE_TEXT_UTF8_H
#define CORE_TEXT_UTF8_H

#include <stddef.h>

/*
 * The bytes of the character that begins at `p` (before `end`): 1 to 4, or 0 if none that RFC 3629
 * knows begins there. Table 3-7 of the Unicode standard: only the second byte has ranges of its
 * own, which rule out overlong forms, surrogates and what lies above U+10FFFF.
 */
static inline size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if ((size_t)(end - p) < need)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return need;
}

/* Is the character of `len` bytes at `p` a control character (C0, DEL, C1)? */
static inline int utf8_is_control(const unsigned char *p, size_t len)
{
    if (len == 1)
        return p[0] < 0x20 || p[0] == 0x7f;
    return len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

#endif
