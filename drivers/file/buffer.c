/* SPDX-License-Identifier: Apache-2.0 */
#include "file/buffer.h"

int buffer_ensure(struct buffer *buffer, const struct dray_host *host, size_t more)
{
    size_t need;

    if (__builtin_add_overflow(buffer->len, more, &need))
        return 0;
    if (need <= buffer->room)
        return 1;
    size_t room = buffer->room ? buffer->room : 16384;
    while (room < need) {
        if (__builtin_mul_overflow(room, 2, &room))
            return 0;
    }
    char *data = host->resize(host, buffer->data, room);
    if (!data)
        return 0;
    buffer->data = data;
    buffer->room = room;
    return 1;
}

void buffer_reset(struct buffer *buffer, const struct dray_host *host, size_t keep)
{
    buffer->len = 0;
    if (buffer->room <= keep)
        return;
    buffer->data = host->resize(host, buffer->data, 0);
    buffer->room = 0;
}
