/* SPDX-License-Identifier: Apache-2.0 */
#include "file/crc.h"

#include <pthread.h>
#include <string.h>

#define REFLECTED 0x82f63b78u

/* Eight bytes a step (M. Kounavis and F. Berry, "A Systematic Approach to Building High Performance
   Software-Based CRC Generators", 2005). */
static uint32_t table[8][256];

typedef uint32_t (*crc_fn)(uint32_t crc, const unsigned char *at, size_t len);

static uint32_t by_table(uint32_t crc, const unsigned char *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8) {
        crc ^=
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
              table[4][crc >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
              table[0][at[7]];
    }
    while (len--)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 255];
    return crc;
}

#if defined(__x86_64__)
/* The processor's own instruction for it. */
__attribute__((target("sse4.2"))) static uint32_t by_instruction(
    uint32_t crc, const unsigned char *at, size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    while (len--)
        crc = __builtin_ia32_crc32qi(crc, *at++);
    return crc;
}
#endif

static crc_fn chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ REFLECTED : crc >> 1;
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int step = 1; step < 8; step++)
            table[step][i] = table[step - 1][i] >> 8 ^ table[0][table[step - 1][i] & 255];
    }
    chosen = by_table;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        chosen = by_instruction;
#endif
}

uint32_t crc32c(const void *data, size_t len)
{
    pthread_once(&once, choose);
    return ~chosen(0xffffffffu, data, len);
}
