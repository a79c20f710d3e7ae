/* SPDX-License-Identifier: Apache-2.0 */
#include "dray/error.h"
#include "text/json.h"

#include <stdlib.h>

#include <jansson.h>

int json_canonical(const char *text, size_t len, char **out, size_t *out_len)
{
    const size_t form = JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT;
    json_error_t problem;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY, &problem);
    if (!value)
        return json_error_code(&problem) == json_error_out_of_memory ? DRAY_NOMEM : DRAY_INVALID;

    /* Measured and then written into memory of our own: a program may have given jansson another
       allocator, and the caller frees with free(). Nothing is shorter than one byte. */
    int code = DRAY_NOMEM;
    size_t size = json_dumpb(value, NULL, 0, form);
    char *buffer = size > 0 ? malloc(size + 1) : NULL;
    if (buffer && json_dumpb(value, buffer, size, form) == size) {
        buffer[size] = 0;
        *out = buffer;
        *out_len = size;
        buffer = NULL;
        code = DRAY_OK;
    }
    free(buffer);
    json_decref(value);
    return code;
}
