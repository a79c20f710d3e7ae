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

/* What the ids of one thread go on from. `generation` finds out a fork: parent and child must not
   go on from the same. */
static _Thread_local struct {
    int64_t ms;
    uint64_t head; /* 12 bits */
    uint64_t tail; /* 62 bits */
    unsigned generation;
} last;

/* A random start for the ids of a millisecond. The highest bit of the tail stays clear: room to
   rise. */
static int start_at(int64_t ms)
{
    uint64_t bits[2];
    if (random_bytes(bits, sizeof(bits)) != DRAY_OK)
        return DRAY_IO;
    last.ms = ms;
    last.head = bits[0] & 0xfff;
    last.tail = bits[1] >> 3;
    last.generation = fork_generation();
    return DRAY_OK;
}

/* The next id of the same millisecond: the tail rises by a random step (RFC 9562, section 6.2,
   method 2), which is hard to guess and takes less randomness than a new one. */
static int step_on(void)
{
    uint32_t step;
    if (random_bytes(&step, sizeof(step)) != DRAY_OK)
        return DRAY_IO;
    last.tail += 1 + (uint64_t)step;
    return DRAY_OK;
}

/* The lowest 4 * `digits` bits. */
static inline void put_hex(char *out, uint64_t value, int digits)
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < digits; i++)
        out[i] = hex[value >> (4 * (digits - 1 - i)) & 15];
}

int random_uuid(char out[37], int64_t wall_ms)
{
    /* A clock that stepped back a little does not make ids fall. */
    int64_t ms = wall_ms < last.ms && last.ms - wall_ms < 1000 ? last.ms : wall_ms;
    int goes_on = ms == last.ms && last.generation == fork_generation();
    if ((goes_on ? step_on() : start_at(ms)) != DRAY_OK)
        return DRAY_IO;
    /* RFC 9562, section 5.7: 48 bits of milliseconds, version, 12 bits, variant, 62 bits. */
    uint64_t tail = last.tail | UINT64_C(1) << 63;
    put_hex(out, (uint64_t)ms >> 16, 8);
    put_hex(out + 9, (uint64_t)ms, 4);
    put_hex(out + 14, UINT64_C(7) << 12 | last.head, 4);
    put_hex(out + 19, tail >> 48, 4);
    put_hex(out + 24, tail, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = 0;
    return DRAY_OK;
}
