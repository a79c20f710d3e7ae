/* SPDX-License-Identifier: Apache-2.0 */
#include "json_out.h"

#include "escape.h"

#include <dray/text.h>

#include <inttypes.h>
#include <string.h>

void json_start(struct json_out *out, FILE *file)
{
    out->file = file;
    out->first = 1;
}

void json_finish(struct json_out *out)
{
    fputc('\n', out->file);
}

/* One character of a string; DEL and C1 are escaped too, since terminals obey them. */
static void put_char(FILE *file, const char *text, size_t n)
{
    unsigned char c = (unsigned char)text[0];
    if (n == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0)
        fprintf(file, "\\u%04x", (unsigned char)text[1]);
    else if (c == '"' || c == '\\')
        fprintf(file, "\\%c", c);
    else if (c == '\n')
        fputs("\\n", file);
    else if (c == '\t')
        fputs("\\t", file);
    else if (c < 0x20 || c == 0x7f)
        fprintf(file, "\\u%04x", c);
    else
        fwrite(text, 1, n, file);
}

static void put_string(FILE *file, const char *text)
{
    fputc('"', file);
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t n = utf8_char(text + at, len - at);
        if (n > 0)
            put_char(file, text + at, n);
        else
            fputs("\\ufffd", file);
        at += n > 0 ? n : 1;
    }
    fputc('"', file);
}

static void put_key(struct json_out *out, const char *key)
{
    if (!out->first)
        fputs(", ", out->file);
    out->first = 0;
    if (key) {
        put_string(out->file, key);
        fputs(": ", out->file);
    }
}

static void put_open(struct json_out *out, const char *key, char bracket)
{
    put_key(out, key);
    fputc(bracket, out->file);
    out->first = 1;
}

static void put_close(struct json_out *out, char bracket)
{
    fputc(bracket, out->file);
    out->first = 0;
}

void json_object(struct json_out *out, const char *key)
{
    put_open(out, key, '{');
}

void json_end_object(struct json_out *out)
{
    put_close(out, '}');
}

void json_array(struct json_out *out, const char *key)
{
    put_open(out, key, '[');
}

void json_end_array(struct json_out *out)
{
    put_close(out, ']');
}

void json_null(struct json_out *out, const char *key)
{
    put_key(out, key);
    fputs("null", out->file);
}

void json_text(struct json_out *out, const char *key, const char *text)
{
    if (!text) {
        json_null(out, key);
        return;
    }
    put_key(out, key);
    put_string(out->file, text);
}

void json_value(struct json_out *out, const char *key, const char *json, size_t len)
{
    if (!json || len == 0) {
        json_null(out, key);
        return;
    }
    put_key(out, key);
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)json[at];
        size_t n = utf8_char(json + at, len - at);
        /* A raw line break or tab in valid JSON is space between tokens. */
        if (c == '\n' || c == '\r' || c == '\t')
            fputc(' ', out->file);
        else if (c < 0x80 && c != 0x7f)
            fputc(c, out->file);
        else if (n > 0)
            put_char(out->file, json + at, n);
        else
            fputs("\\ufffd", out->file);
        at += n > 0 ? n : 1;
    }
}

void json_int(struct json_out *out, const char *key, int64_t value)
{
    put_key(out, key);
    fprintf(out->file, "%" PRId64, value);
}

void json_uint(struct json_out *out, const char *key, uint64_t value)
{
    put_key(out, key);
    fprintf(out->file, "%" PRIu64, value);
}

void json_bool(struct json_out *out, const char *key, int value)
{
    put_key(out, key);
    fputs(value ? "true" : "false", out->file);
}

void json_rate(struct json_out *out, const char *key, double value)
{
    if (value < 0) {
        json_null(out, key);
        return;
    }
    put_key(out, key);
    fprintf(out->file, "%.6g", value);
}

void json_time(struct json_out *out, const char *key, int64_t wall_ms)
{
    char text[DRAY_TIME_SIZE];
    json_text(out, key, wall_ms != 0 ? dray_format_time(wall_ms, text) : NULL);
}
