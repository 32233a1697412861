/* What the protocol needs to know of the board it runs on; one implementation for each kind of machine. */
#ifndef SINEHIL_BOARD_H
#define SINEHIL_BOARD_H

#include <stdint.h>

#include "progmem.h"

namespace sinehil {

constexpr uint8_t kBoardNameBytes = 12;
extern const char kBoardName[kBoardNameBytes] PROGMEM;

uint32_t board_clock_hz();
uint32_t board_uptime_ms();
uint16_t board_free_ram_bytes();

typedef void (*Inference)(const int8_t *x_q, int8_t *y_q);

/* Cycles that one call takes, call and return not counted; 0 if this board cannot count them. */
uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q);

}  // namespace sinehil

#endif
