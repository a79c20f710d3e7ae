/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and sizes: a decimal number and a unit. */
#include "dray/error.h"
#include "dray/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FRACTION_DIGITS = 9 };

/* Ten years with their leap days. */
#define DURATION_MAX_MS (UINT64_C(3653) * 86400000)

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60000},
    {"h", 3600000},
    {"d", 86400000},
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"KB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *text into *value. 0, or -1 if there are none or too many. */
static int read_whole(const char **text, uint64_t *value)
{
    const char *p = *text;
    uint64_t v = 0;
    if (!is_digit(*p))
        return -1;
    for (; is_digit(*p); p++) {
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return -1;
    }
    *text = p;
    *value = v;
    return 0;
}

/* A fraction of up to nine digits at *text, as *value over *scale. */
static int read_fraction(const char **text, uint64_t *value, uint64_t *scale)
{
    *value = 0;
    *scale = 1;
    const char *p = *text;
    if (*p != '.')
        return 0;
    p++;
    if (!is_digit(*p))
        return -1;
    for (int i = 0; is_digit(*p); i++, p++) {
        if (i == FRACTION_DIGITS)
            return -1;
        *value = *value * 10 + (uint64_t)(*p - '0');
        *scale *= 10;
    }
    *text = p;
    return 0;
}

/* A number and one of `units`, as a whole number of the smallest unit, at most `max`. */
static int parse_amount(
    const char *text, const struct unit *units, size_t nunits, uint64_t max, uint64_t *out)
{
    if (!text || !out)
        return DRAY_INVALID;
    uint64_t whole;
    uint64_t part;
    uint64_t scale;
    if (read_whole(&text, &whole) || read_fraction(&text, &part, &scale))
        return DRAY_INVALID;
    for (size_t i = 0; i < nunits; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        uint64_t value;
        uint64_t more;
        if (__builtin_mul_overflow(whole, units[i].factor, &value) ||
            __builtin_mul_overflow(part, units[i].factor, &more))
            return DRAY_INVALID;
        /* Half a byte is a mistake, not something to round. */
        if (more % scale != 0 || __builtin_add_overflow(value, more / scale, &value) || value > max)
            return DRAY_INVALID;
        *out = value;
        return DRAY_OK;
    }
    return DRAY_INVALID;
}

int dray_parse_duration(const char *text, uint64_t *ms)
{
    return parse_amount(text, duration_units, sizeof(duration_units) / sizeof(duration_units[0]),
        DURATION_MAX_MS, ms);
}

int dray_parse_size(const char *text, uint64_t *bytes)
{
    return parse_amount(
        text, size_units, sizeof(size_units) / sizeof(size_units[0]), INT64_MAX, bytes);
}

char *dray_format_duration(uint64_t ms, char out[DRAY_TIME_SIZE])
{
    static const struct {
        const char *big;
        const char *small;
        uint64_t big_ms;
        uint64_t small_ms;
    } steps[] = {
        {"d", "h", 86400000, 3600000},
        {"h", "m", 3600000, 60000},
        {"m", "s", 60000, 1000},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (ms < steps[i].big_ms)
            continue;
        uint64_t big = ms / steps[i].big_ms;
        uint64_t small = ms % steps[i].big_ms / steps[i].small_ms;
        if (small > 0)
            snprintf(out, DRAY_TIME_SIZE, "%" PRIu64 "%s %" PRIu64 "%s", big, steps[i].big, small,
                steps[i].small);
        else
            snprintf(out, DRAY_TIME_SIZE, "%" PRIu64 "%s", big, steps[i].big);
        return out;
    }
    if (ms < 1000)
        snprintf(out, DRAY_TIME_SIZE, "%" PRIu64 "ms", ms);
    else if (ms % 1000 < 100)
        snprintf(out, DRAY_TIME_SIZE, "%" PRIu64 "s", ms / 1000);
    else
        snprintf(out, DRAY_TIME_SIZE, "%" PRIu64 ".%" PRIu64 "s", ms / 1000, ms % 1000 / 100);
    return out;
}
