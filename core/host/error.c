/* SPDX-License-Identifier: Apache-2.0 */
#define CORE_HOST_ERROR_DEFINED_HERE
#include "host/error.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int32_t code;
    const char *name;
} names[] = {
    {DRAY_OK, "ok"},
    {DRAY_EXISTS, "exists"},
    {DRAY_DUPLICATE, "duplicate"},
    {DRAY_CONFLICT, "conflict"},
    {DRAY_STALE, "stale"},
    {DRAY_NOTFOUND, "not found"},
    {DRAY_CANCELLED, "cancelled"},
    {DRAY_FAILED, "failed"},
    {DRAY_EMPTY, "empty"},
    {DRAY_BUSY, "busy"},
    {DRAY_FULL, "full"},
    {DRAY_LIMIT, "limit"},
    {DRAY_INVALID, "invalid"},
    {DRAY_UNSUPPORTED, "unsupported"},
    {DRAY_CLOSED, "closed"},
    {DRAY_FORKED, "forked"},
    {DRAY_NOMEM, "out of memory"},
    {DRAY_UNREACHABLE, "unreachable"},
    {DRAY_DENIED, "denied"},
    {DRAY_IO, "input/output error"},
    {DRAY_CONFIG, "bad configuration"},
    {DRAY_UNKNOWN, "unknown"},
    {DRAY_POISONED, "poisoned"},
    {DRAY_CORRUPT, "corrupt"},
};

const char *dray_code_name(int32_t code)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return "unheard-of code";
}

/* Cuts a text that did not fit between characters, so that it stays valid UTF-8. */
static void trim_partial_character(char *text)
{
    size_t len = strlen(text);
    size_t start = len;
    while (start > 0 && len - start < 4) {
        unsigned char c = (unsigned char)text[--start];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t need = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (start + need > len)
            text[start] = 0;
        return;
    }
}

int error_setv(struct dray_error *error, int code, int sys, const char *fmt, va_list args)
{
    if (!error)
        return code;
    error->code = code;
    error->sys = sys;
    error->line = 0;
    error->file[0] = 0;
    int len = vsnprintf(error->text, sizeof(error->text), fmt, args);
    if (len >= (int)sizeof(error->text))
        trim_partial_character(error->text);
    for (char *p = error->text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    return code;
}

int error_set(struct dray_error *error, int code, int sys, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_setv(error, code, sys, fmt, args);
    va_end(args);
    return code;
}

int error_set_at(
    struct dray_error *error, int code, const char *file, unsigned line, const char *fmt, ...)
{
    if (!error)
        return code;
    char what[sizeof(error->text)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (line > 0)
        error_set(error, code, 0, "%s:%u: %s", file, line, what);
    else
        error_set(error, code, 0, "%s: %s", file, what);
    snprintf(error->file, sizeof(error->file), "%s", file);
    error->line = line;
    return code;
}

int error_prefix(struct dray_error *error, int code, const char *fmt, ...)
{
    if (!error)
        return code;
    struct dray_error before = *error;
    char who[sizeof(error->text)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(who, sizeof(who), fmt, args);
    va_end(args);
    error_set(error, code, before.sys, "%s%s", who, before.text);
    error->line = before.line;
    memcpy(error->file, before.file, sizeof(error->file));
    return code;
}

int error_copy(struct dray_error *to, const struct dray_error *from)
{
    if (to && to != from) {
        *to = *from;
        to->size = (uint32_t)sizeof(*to);
    }
    return from->code;
}
