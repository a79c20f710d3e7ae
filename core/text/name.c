/* SPDX-License-Identifier: Apache-2.0 */
#include "text/name.h"

#include "dray/driver.h"
#include "text/utf8.h"

#include <string.h>

/* Not isalnum(): names may not depend on the locale. */
static int is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

const char *name_check(const char *text, size_t len)
{
    if (len == 0)
        return "is empty";
    if (len > DRAY_NAME_MAX)
        return "is longer than 64 bytes";
    if (!is_alphanumeric(text[0]))
        return "does not begin with a letter or digit";
    for (size_t i = 1; i < len; i++) {
        char c = text[i];
        if (!is_alphanumeric(c) && c != '.' && c != '_' && c != ':' && c != '-')
            return "may only have letters, digits and . _ : -";
    }
    return NULL;
}

const char *label_check(const char *text, size_t len)
{
    if (len == 0)
        return "is empty";
    if (len > DRAY_TEXT_MAX)
        return "is longer than 255 bytes";
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    while (p < end) {
        size_t n = utf8_length(p, end);
        if (n == 0)
            return "is not valid UTF-8";
        if (utf8_is_control(p, n))
            return "has a control character";
        p += n;
    }
    return NULL;
}

const char *driver_name_check(const char *text)
{
    size_t len = strlen(text);
    if (len == 0)
        return "is empty";
    if (len > 32)
        return "is longer than 32 bytes";
    if (text[0] < 'a' || text[0] > 'z')
        return "does not begin with a letter a-z";
    for (size_t i = 1; i < len; i++) {
        char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return "may only have a-z, 0-9 and _";
    }
    return NULL;
}

int utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    while (p < end) {
        size_t n = utf8_length(p, end);
        if (n == 0)
            return 0;
        p += n;
    }
    return 1;
}

size_t utf8_clean_tail(char *out, size_t size, const char *text, size_t len)
{
    if (size == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    if (len > size - 1) {
        p = end - (size - 1);
        /* The cut may lie inside a character, whose rest is then at most three bytes. */
        for (int i = 0; i < 3 && p < end && (*p & 0xc0) == 0x80; i++)
            p++;
    }
    size_t n = 0;
    while (p < end) {
        size_t c = utf8_length(p, end);
        if (c == 0) {
            out[n++] = '?';
            p++;
            continue;
        }
        if (utf8_is_control(p, c) && *p != '\n' && *p != '\t') {
            out[n++] = ' ';
        } else {
            memcpy(out + n, p, c);
            n += c;
        }
        p += c;
    }
    out[n] = 0;
    return n;
}
