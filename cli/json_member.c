/* SPDX-License-Identifier: Apache-2.0 */
#include "json_member.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (depth == 0 && (*at == ',' || *at == '}'))
            return at;
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    }
    return at;
}

int json_member(
    const char *text, size_t len, const char *key, const char **value, size_t *value_len)
{
    const char *end = text + len;
    const char *at = skip_space(text, end);
    for (at = skip_space(at + 1, end); at < end && *at == '"';) {
        const char *name = at + 1;
        at = skip_string(at, end);
        size_t name_len = (size_t)(at - name) - 1;
        at = skip_space(at, end);     /* to the colon */
        at = skip_space(at + 1, end); /* to the value */
        const char *after = skip_value(at, end);
        if (name_len == strlen(key) && memcmp(name, key, name_len) == 0) {
            while (after > at && strchr(" \t\r\n", after[-1]))
                after--;
            *value = at;
            *value_len = (size_t)(after - at);
            return 0;
        }
        at = skip_space(after < end ? after + 1 : end, end); /* behind the comma */
    }
    return -1;
}
