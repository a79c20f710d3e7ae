/* SPDX-License-Identifier: Apache-2.0 */
#include "host/random.h"

#include "dray/error.h"
#include "host/fork.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define READ_AHEAD 512

/* Read-ahead of one thread. `generation` finds out a fork: parent and child must not share bytes.
 */
static _Thread_local struct {
    unsigned char bytes[READ_AHEAD];
    size_t left;
    unsigned generation;
} ahead;

static int fill(unsigned char *out, size_t len)
{
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return DRAY_IO;
        out += got;
        len -= (size_t)got;
    }
    return DRAY_OK;
}

int random_bytes(void *out, size_t len)
{
    if (len > READ_AHEAD)
        return fill(out, len);
    if (ahead.left < len || ahead.generation != fork_generation()) {
        if (fill(ahead.bytes, READ_AHEAD) != DRAY_OK)
            return DRAY_IO;
        ahead.left = READ_AHEAD;
        ahead.generation = fork_generation();
    }
    ahead.left -= len;
    memcpy(out, ahead.bytes + ahead.left, len);
    memset(ahead.bytes + ahead.left, 0, len);
    return DRAY_OK;
}

double random_unit(void)
{
    uint64_t bits = 0;
    if (random_bytes(&bits, sizeof(bits)) != DRAY_OK)
        return 0.5;
    return (double)(bits >> 11) / 9007199254740992.0; /* 2^53 */
}

/*
 * RFC 9562: 48 bits of Unix milliseconds, version 7, 12 bits, variant, 62 bits. As its section 6.2
 * (method 1) suggests, the 12 bits after the version are a counter that makes the ids of one thread
 * and millisecond rise; it starts anew, at random in its lower half, with each millisecond.
 */
int random_uuid(char out[37], int64_t wall_ms)
{
    static _Thread_local int64_t last_ms;
    static _Thread_local unsigned counter;
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    if (random_bytes(b + 6, 10) != DRAY_OK)
        return DRAY_IO;
    if (wall_ms != last_ms || counter >= 0xfff) {
        if (wall_ms <= last_ms && last_ms - wall_ms < 1000)
            wall_ms = last_ms + (counter >= 0xfff); /* borrow from the next millisecond */
        if (wall_ms != last_ms)
            counter = ((unsigned)b[6] << 8 | b[7]) & 0x7ff;
        else
            counter++;
        last_ms = wall_ms;
    } else {
        counter++;
    }
    uint64_t ms = (uint64_t)wall_ms;
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (counter >> 8 & 0x0f));
    b[7] = (unsigned char)counter;
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[b[i] >> 4];
        *p++ = hex[b[i] & 15];
    }
    *p = 0;
    return DRAY_OK;
}
