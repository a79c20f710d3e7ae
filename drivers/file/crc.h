/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected, initial value and final XOR 0xFFFFFFFF,
   as RFC 3720 appendix B.4 defines it. It finds every error of up to 32 bits in a row. */
#ifndef FILE_CRC_H
#define FILE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t len);

#endif
