/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a UART makes of a byte that comes at another speed than it expects. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stdint.h>

/* More than 5 % apart: by the last bit, sampling has slipped into the neighbour. */
static inline bool wire_agrees(uint32_t sender_baud, uint32_t receiver_baud) {
  const uint64_t sender = sender_baud, receiver = receiver_baud;
  return receiver * 100 >= sender * 95 && receiver * 100 <= sender * 105;
}

/* The level of the line while `byte` is sent, by bit: 0 is the start bit, 9 and later the stop bit and rest.
 */
static inline unsigned wire_level(uint8_t byte, uint64_t bit) {
  if (bit == 0) return 0;
  return bit <= 8 ? (byte >> (bit - 1)) & 1u : 1u;
}

/* The receiver samples the middle of each bit as long as it believes a bit to be. */
static inline uint8_t wire_received(uint8_t byte, uint32_t sender_baud, uint32_t receiver_baud,
                                    bool *framing_error) {
  unsigned value = 0;
  for (uint64_t i = 0; i < 8; i++)
    value |= wire_level(byte, (2 * i + 3) * sender_baud / (2 * (uint64_t)receiver_baud)) << i;
  *framing_error = wire_level(byte, 19 * (uint64_t)sender_baud / (2 * (uint64_t)receiver_baud)) == 0;
  return (uint8_t)value;
}

#endif
