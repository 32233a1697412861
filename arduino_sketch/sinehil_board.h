/* What the protocol needs to know of the board it runs on; one implementation for each kind of machine. */
#ifndef SINEHIL_BOARD_H
#define SINEHIL_BOARD_H

#include <stdint.h>

#include "sinehil_progmem.h"

namespace sinehil {

constexpr uint8_t kBoardNameBytes = 12;
extern const char kBoardName[kBoardNameBytes] PROGMEM;

uint32_t board_clock_hz();
uint32_t board_uptime_ms();
uint32_t board_uptime_us(); /* from 0 again every 71 minutes */
uint16_t board_free_ram_bytes();
uint16_t board_least_free_ram_bytes(); /* since the reset: below the deepest stack, interrupts included */

/* To be called at least once a second, or the board is reset. An inference may take half of that. */
void board_alive();

/* The serial line to the host, 115200 baud, 8N1. What is received waits in a ring of kWindowBytes. */
void board_serial_begin();
int16_t board_serial_read();  /* the next byte, or -1 */
bool board_serial_writable(); /* whether a write would return at once */
void board_serial_write(uint8_t byte);

struct LineErrors {
  uint8_t ring_overruns; /* bytes that found the ring full */
  uint8_t uart_overruns; /* times that the UART lost bytes because it was not read */
  uint8_t uart_framing;  /* bytes without a stop bit */
};
LineErrors board_line_errors(); /* since the reset; each stays at 255 */

void board_led_begin();
void board_led(bool on);

typedef void (*Inference)(const int8_t *x_q, int8_t *y_q);

/* Cycles that one call takes, call and return not counted; 0 if this board cannot count them. It is called
 * twice at most, with interrupts off, which then are as they were. */
uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q);

}  // namespace sinehil

#endif
