/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include <string.h>

size_t utf8_char(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t need = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return need;
}

/* The escaped form of what stands at `text` into `out` (of at least 9 bytes); *taken bytes of it.
   Returns the length written. */
static size_t escape_one(char *out, const char *text, size_t len, size_t *taken)
{
    unsigned char c = (unsigned char)text[0];
    size_t n = utf8_char(text, len);
    *taken = n > 0 ? n : 1;
    if (c == '\n' || c == '\t') {
        memcpy(out, c == '\n' ? "\\n" : "\\t", 3);
        return 2;
    }
    int c1 = n == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0;
    if (n > 0 && c >= 0x20 && c != 0x7f && !c1) {
        memcpy(out, text, n);
        return n;
    }
    size_t written = 0;
    for (size_t i = 0; i < *taken; i++)
        written += (size_t)snprintf(out + written, 5, "\\x%02x", (unsigned char)text[i]);
    return written;
}

size_t escaped_len(const char *text, size_t len)
{
    char one[16];
    size_t total = 0;
    size_t taken;
    for (size_t at = 0; at < len; at += taken)
        total += escape_one(one, text + at, len - at, &taken);
    return total;
}

void escape(char *out, const char *text, size_t len)
{
    char one[16];
    size_t taken;
    for (size_t at = 0; at < len; at += taken) {
        size_t n = escape_one(one, text + at, len - at, &taken);
        memcpy(out, one, n);
        out += n;
    }
    *out = 0;
}

void print_escaped(FILE *file, const char *text, size_t len)
{
    char one[16];
    size_t taken;
    for (size_t at = 0; at < len; at += taken) {
        size_t n = escape_one(one, text + at, len - at, &taken);
        fwrite(one, 1, n, file);
    }
}

size_t utf8_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}
