/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/buffer.h"

#include <string.h>

#define KEEP_MAX ((uint64_t)1024 * 1024)
#define NUMBER_MAX ((uint64_t)1 << 50)

void buffer_free(struct buffer *buffer)
{
    if (buffer->data)
        buffer->host->resize(buffer->host, buffer->data, 0);
    buffer->data = NULL;
    buffer->len = buffer->room = 0;
}

void buffer_reset(struct buffer *buffer)
{
    if (buffer->room > KEEP_MAX)
        buffer_free(buffer);
    buffer->len = 0;
    buffer->failed = 0;
}

char *buffer_space(struct buffer *buffer, uint64_t len)
{
    if (buffer->failed)
        return NULL;
    if (len > buffer->room - buffer->len) {
        uint64_t room = buffer->room ? buffer->room : 1024;
        while (room - buffer->len < len && room <= SIZE_MAX / 4)
            room *= 2;
        char *data = room - buffer->len < len
                         ? NULL
                         : buffer->host->resize(buffer->host, buffer->data, (size_t)room);
        if (!data) {
            buffer->failed = 1;
            return NULL;
        }
        buffer->data = data;
        buffer->room = room;
    }
    char *space = buffer->data + buffer->len;
    buffer->len += len;
    return space;
}

void buffer_add(struct buffer *buffer, const void *data, uint64_t len)
{
    char *space = buffer_space(buffer, len);
    if (space && len)
        memcpy(space, data, len);
}

void put_number(char *out, uint32_t bytes, uint64_t value)
{
    for (uint32_t i = bytes; i > 0; i--, value >>= 8)
        out[i - 1] = (char)(value & 0xff);
}

uint64_t get_number(const char *in, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

static void put_head(struct buffer *buffer, unsigned char kind, uint32_t bytes, uint64_t value)
{
    char head[9] = {(char)kind};
    put_number(head + 1, bytes, value);
    buffer_add(buffer, head, 1 + bytes);
}

void pack_array(struct buffer *buffer, uint32_t n)
{
    if (n < 16)
        put_head(buffer, (unsigned char)(0x90 | n), 0, 0);
    else
        put_head(buffer, 0xdd, 4, n);
}

void pack_number(struct buffer *buffer, uint64_t value)
{
    if (value > NUMBER_MAX)
        value = NUMBER_MAX;
    if (value < 128)
        put_head(buffer, (unsigned char)value, 0, 0);
    else if (value <= UINT32_MAX)
        put_head(buffer, 0xce, 4, value);
    else
        put_head(buffer, 0xcf, 8, value);
}

void pack_minus_one(struct buffer *buffer)
{
    put_head(buffer, 0xff, 0, 0);
}

char *pack_space(struct buffer *buffer, uint64_t len)
{
    if (len < 32)
        put_head(buffer, (unsigned char)(0xa0 | len), 0, 0);
    else
        put_head(buffer, 0xdb, 4, len);
    return buffer_space(buffer, len);
}

void pack_bytes(struct buffer *buffer, const void *data, uint64_t len)
{
    char *space = pack_space(buffer, len);
    if (space && len)
        memcpy(space, data, len);
}

void pack_str(struct buffer *buffer, struct dray_str text)
{
    pack_bytes(buffer, text.data, text.len);
}
