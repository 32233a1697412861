/* Constants in flash on AVR, plain memory elsewhere, so that host tests compile the same sources. */
#ifndef SINEHIL_PROGMEM_H
#define SINEHIL_PROGMEM_H

#include <stdint.h>
#include <string.h>

#ifdef __AVR__
#include <avr/pgmspace.h>
#else
#ifndef PROGMEM
#define PROGMEM
#endif
#ifndef pgm_read_byte
#define pgm_read_byte(address) (*(const uint8_t *)(address))
#define pgm_read_word(address) (*(const uint16_t *)(address))
#define pgm_read_dword(address) (*(const uint32_t *)(address))
#define memcpy_P memcpy
#endif
#endif

#endif
