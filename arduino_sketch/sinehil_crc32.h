/* CRC-32 (IEEE 802.3, reflected, as zlib and Python's zlib.crc32), one byte at a time. */
#ifndef SINEHIL_CRC32_H
#define SINEHIL_CRC32_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SINEHIL_CRC32_START 0xFFFFFFFFUL

/* Feed one byte; begin with SINEHIL_CRC32_START and invert the last value. */
uint32_t sinehil_crc32_update(uint32_t crc, uint8_t byte);

#ifdef __cplusplus
}
#endif

#endif
