/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the bytes, no memory, no recursion: the open arrays and objects are the bits of one
 * word. Each scan_ function takes the place where its part begins and returns the place behind it,
 * or NULL with `problem` and `at` filled in.
 */
#include "text/json.h"

#include "text/utf8.h"

#include <stdint.h>
#include <string.h>

typedef const unsigned char *place;

struct scan {
    place end;
    place at;
    const char *problem;
};

static place refuse(struct scan *scan, place at, const char *problem)
{
    scan->at = at;
    scan->problem = problem;
    return NULL;
}

static inline place skip_space(place p, place end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* How many of the eight bytes at `p` are plain: neither quote, backslash, control character nor
   outside ASCII. The tests for "equal" and "less" within a word are those of Anderson's "Bit
   Twiddling Hacks"; a false hit lies only above a true one, and the lowest one counts. */
static inline unsigned plain_bytes(place p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t word;
    memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');
    uint64_t hits = (((quote - ones) | (slash - ones) | (word - ones * 0x20)) | word) & high;
    return hits ? (unsigned)__builtin_ctzll(hits) / 8 : 8;
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u, or -1. */
static int32_t read_hex(place p, place end)
{
    if (end - p < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* From the backslash on. */
static place scan_escape(struct scan *scan, place p)
{
    if (scan->end - p < 2)
        return refuse(scan, p, "a string is not closed");
    if (p[1] != 'u') {
        if (p[1] == 0 || !strchr("\"\\/bfnrt", p[1]))
            return refuse(scan, p, "a string has an escape that JSON does not know");
        return p + 2;
    }
    int32_t unit = read_hex(p + 2, scan->end);
    if (unit < 0)
        return refuse(scan, p, "\\u needs four hexadecimal digits");
    if (unit == 0)
        return refuse(scan, p, "\\u0000 is not allowed");
    if (unit < 0xd800 || unit > 0xdfff)
        return p + 6;
    if (unit > 0xdbff || scan->end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return refuse(scan, p, "an escape is half of a surrogate pair");
    int32_t low = read_hex(p + 8, scan->end);
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(scan, p, "an escape is half of a surrogate pair");
    return p + 12;
}

/* From the opening quote on. */
static place scan_string(struct scan *scan, place p)
{
    place start = p;
    place end = scan->end;
    p++;
    for (;;) {
        unsigned plain = 8;
        while (plain == 8 && end - p >= 8) {
            plain = plain_bytes(p);
            p += plain;
        }
        /* Fewer than eight bytes are left, or this ends at once. */
        while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
            p++;
        if (p == end)
            return refuse(scan, start, "a string is not closed");
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            p = scan_escape(scan, p);
            if (!p)
                return NULL;
        } else if (*p < 0x20) {
            return refuse(scan, p, "a string has a control character that is not escaped");
        } else {
            size_t len = utf8_length(p, end);
            if (len == 0)
                return refuse(scan, p, "a string is not valid UTF-8");
            p += len;
        }
    }
}

static inline place skip_digits(place p, place end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static place scan_number(struct scan *scan, place p)
{
    place end = scan->end;
    place start = p;
    if (*p == '-')
        p++;
    place digits = p;
    p = skip_digits(p, end);
    if (p == digits)
        return refuse(scan, start, "a minus sign without a number");
    if (*digits == '0' && p - digits > 1)
        return refuse(scan, start, "a number begins with 0");
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return refuse(scan, start, "a number has no digit behind its point");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return refuse(scan, start, "a number has no digit in its exponent");
    }
    return p;
}

static place scan_word(struct scan *scan, place p)
{
    static const struct {
        const char *text;
        size_t len;
    } words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((size_t)(scan->end - p) >= words[i].len && memcmp(p, words[i].text, words[i].len) == 0)
            return p + words[i].len;
    }
    return refuse(scan, p, "expected a JSON value");
}

/* A value that is neither array nor object. */
static inline place scan_scalar(struct scan *scan, place p)
{
    if (*p == '"')
        return scan_string(scan, p);
    if (*p == '-' || (*p >= '0' && *p <= '9'))
        return scan_number(scan, p);
    return scan_word(scan, p);
}

/* A key and its colon, up to where the value may begin. */
static inline place scan_key(struct scan *scan, place p)
{
    if (p == scan->end || *p != '"')
        return refuse(scan, p, "expected a key in double quotes");
    p = scan_string(scan, p);
    if (!p)
        return NULL;
    p = skip_space(p, scan->end);
    if (p == scan->end || *p != ':')
        return refuse(scan, p, "expected : after a key");
    return skip_space(p + 1, scan->end);
}

/* The whole value, the spaces behind it not included. */
static place scan_value(struct scan *scan, place p)
{
    place end = scan->end;
    uint64_t objects = 0; /* the lowest bit: is the innermost open thing an object? */
    unsigned depth = 0;
    for (;;) {
        /* A value begins here. */
        if (p == end)
            return refuse(scan, p, "the text ends where a value should be");
        if (*p == '{' || *p == '[') {
            if (depth == JSON_DEPTH_MAX)
                return refuse(scan, p, "nested more than 32 deep");
            int object = *p == '{';
            objects = objects << 1 | (uint64_t)object;
            depth++;
            p = skip_space(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                if (object && !(p = scan_key(scan, p)))
                    return NULL;
                continue;
            }
        } else if (!(p = scan_scalar(scan, p))) {
            return NULL;
        } else {
            if (depth == 0)
                return p;
            p = skip_space(p, end);
        }
        /* It has ended: close what ends with it. */
        while (p < end && *p == ((objects & 1) ? '}' : ']')) {
            p++;
            objects >>= 1;
            if (--depth == 0)
                return p;
            p = skip_space(p, end);
        }
        if (p == end || *p != ',')
            return refuse(scan, p, (objects & 1) ? "expected , or }" : "expected , or ]");
        p = skip_space(p + 1, end);
        if ((objects & 1) && !(p = scan_key(scan, p)))
            return NULL;
    }
}

const char *json_check(const char *text, size_t len, size_t *at)
{
    place begin = (place)text;
    struct scan scan = {begin + len, begin, NULL};
    place p = scan_value(&scan, skip_space(begin, scan.end));
    if (p) {
        p = skip_space(p, scan.end);
        if (p == scan.end)
            return NULL;
        refuse(&scan, p, "there is more after the value");
    }
    if (at)
        *at = (size_t)(scan.at - begin);
    return scan.problem;
}
