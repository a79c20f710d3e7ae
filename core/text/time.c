/* SPDX-License-Identifier: Apache-2.0 */
/* Moments, as RFC 3339 writes them. The C library's calendar is not used: it has a time zone. */
#include "dray/error.h"
#include "dray/text.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_MS INT64_C(86400000)

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, and back: Howard Hinnant,
   "chrono-compatible low-level date algorithms". Years begin in March there, eras have 400. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* Exactly `digits` digits at *text, from `low` to `high`. */
static int read_field(const char **text, int digits, int low, int high, int *value)
{
    int v = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit((*text)[i]))
            return -1;
        v = v * 10 + ((*text)[i] - '0');
    }
    if (v < low || v > high)
        return -1;
    *text += digits;
    *value = v;
    return 0;
}

static int read_char(const char **text, char expected)
{
    if (**text != expected)
        return -1;
    (*text)++;
    return 0;
}

static int read_date(const char **text, int64_t *ms)
{
    int year;
    int month;
    int day;
    if (read_field(text, 4, 0, 9999, &year) || read_char(text, '-') ||
        read_field(text, 2, 1, 12, &month) || read_char(text, '-') ||
        read_field(text, 2, 1, days_in_month(year, month), &day))
        return -1;
    *ms = days_from_date(year, month, day) * DAY_MS;
    return 0;
}

/* Leap seconds (":60") are refused: time counted since 1970 has no place for them. */
static int read_clock(const char **text, int64_t *ms)
{
    int hour;
    int minute;
    int second;
    if (read_field(text, 2, 0, 23, &hour) || read_char(text, ':') ||
        read_field(text, 2, 0, 59, &minute) || read_char(text, ':') ||
        read_field(text, 2, 0, 59, &second))
        return -1;
    int64_t fraction = 0;
    if (**text == '.') {
        (*text)++;
        if (!is_digit(**text))
            return -1;
        for (int unit = 100; is_digit(**text); unit /= 10, (*text)++)
            fraction += unit * (**text - '0');
    }
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + fraction;
    return 0;
}

static int read_zone(const char **text, int64_t *ms)
{
    *ms = 0;
    char sign = **text;
    if (sign == 0)
        return -1;
    (*text)++;
    if (sign == 'Z' || sign == 'z')
        return 0;
    int hour;
    int minute;
    if ((sign != '+' && sign != '-') || read_field(text, 2, 0, 23, &hour) || read_char(text, ':') ||
        read_field(text, 2, 0, 59, &minute))
        return -1;
    *ms = (hour * 60 + minute) * INT64_C(60000) * (sign == '-' ? -1 : 1);
    return 0;
}

int dray_parse_time(const char *text, int64_t *wall_ms)
{
    if (!text || !wall_ms)
        return DRAY_INVALID;
    int64_t date;
    int64_t clock;
    int64_t zone;
    if (read_date(&text, &date) || (*text != 'T' && *text != 't'))
        return DRAY_INVALID;
    text++;
    if (read_clock(&text, &clock) || read_zone(&text, &zone) || *text != 0)
        return DRAY_INVALID;
    *wall_ms = date + clock - zone;
    return DRAY_OK;
}

char *dray_format_time(int64_t wall_ms, char out[DRAY_TIME_SIZE])
{
    int64_t days = wall_ms / DAY_MS;
    int64_t rest = wall_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int64_t year;
    int month;
    int day;
    date_from_days(days, &year, &month, &day);
    int ms = (int)rest;
    snprintf(out, DRAY_TIME_SIZE, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
        ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
    return out;
}
