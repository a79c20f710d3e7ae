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

/* Eight hexadecimal digits at once, as the bytes of one word: an id is made for every job. */
static inline void put_hex(char out[8], uint32_t value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word = value;
    /* One digit to each byte, the highest digit to the highest byte. */
    word = (word | word << 16) & UINT64_C(0x0000ffff0000ffff);
    word = (word | word << 8) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word | word << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (word + 6 * ones) >> 4 & ones; /* 1 for each digit above 9 */
    word += '0' * ones + ('a' - '0' - 10) * letters;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(out, &word, sizeof(word));
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
    char digits[32];
    put_hex(digits, (uint32_t)(ms >> 16));
    put_hex(digits + 8, (uint32_t)ms << 16 | 7u << 12 | (uint32_t)last.head);
    put_hex(digits + 16, (uint32_t)(tail >> 32));
    put_hex(digits + 24, (uint32_t)tail);
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = 0;
    return DRAY_OK;
}
