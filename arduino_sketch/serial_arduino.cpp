/* The serial line of the board. On an Uno and a Mega it is driven here: the core's Serial with its Stream and
 * Print does more than is needed and takes 750 bytes more flash. */
#ifdef ARDUINO

#include <Arduino.h>

#include "sinehil_board.h"
#include "sinehil_protocol.h"

namespace sinehil {

namespace {

constexpr uint32_t kBaud = 115200;

}  // namespace

#if defined(__AVR__) && defined(UCSR0A) && !defined(USBCON) /* the first UART, not a USB of the chip's own \
                                                             */

#ifndef USART_RX_vect
#define USART_RX_vect USART0_RX_vect
#define USART_UDRE_vect USART0_UDRE_vect
#endif

namespace {

constexpr uint8_t kRingBytes = 64; /* one is always free */
static_assert(kRingBytes == kWindowBytes + 1 && (kRingBytes & (kRingBytes - 1)) == 0,
              "indices wrap by a mask");

struct Ring {
  volatile uint8_t bytes[kRingBytes], head, tail;
};

Ring received;
Ring unsent; /* lets the board answer the next request while the last reply is still on its way */

volatile LineErrors errors;

void count(volatile uint8_t &errors_of_a_kind) {
  const uint8_t more = errors_of_a_kind + 1;
  if (more != 0) errors_of_a_kind = more;
}

uint8_t after(uint8_t index) { return (index + 1) & (kRingBytes - 1); }

}  // namespace

ISR(USART_RX_vect) {
  const uint8_t status = UCSR0A; /* of the byte that is read next */
  const uint8_t byte = UDR0, at = received.head, next = after(at);
  if (status & _BV(DOR0)) count(errors.uart_overruns);
  if (status & _BV(FE0)) count(errors.uart_framing);
  if (next == received.tail) { /* the frame's checksum will tell */
    count(errors.ring_overruns);
    return;
  }
  received.bytes[at] = byte;
  received.head = next;
}

ISR(USART_UDRE_vect) {
  const uint8_t at = unsent.tail;
  if (at == unsent.head) {
    UCSR0B &= ~_BV(UDRIE0);
    return;
  }
  UDR0 = unsent.bytes[at];
  unsent.tail = after(at);
}

void board_serial_begin() {
  UCSR0A = _BV(U2X0);
  UBRR0 = (F_CPU / 4 / kBaud - 1) / 2;
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

int16_t board_serial_read() {
  const uint8_t at = received.tail;
  if (at == received.head) return -1;
  const uint8_t byte = received.bytes[at];
  received.tail = after(at);
  return byte;
}

LineErrors board_line_errors() { return {errors.ring_overruns, errors.uart_overruns, errors.uart_framing}; }

bool board_serial_writable() { return after(unsent.head) != unsent.tail; }

void board_serial_write(uint8_t byte) {
  while (!board_serial_writable()) {
  }
  const uint8_t at = unsent.head;
  unsent.bytes[at] = byte;
  unsent.head = after(at);
  /* The interrupt may switch itself off in the middle of this; then it comes once more than needed, which it
   * bears. */
  UCSR0B |= _BV(UDRIE0);
}

#else

LineErrors board_line_errors() { return {0, 0, 0}; } /* the core's Serial does not tell */

void board_serial_begin() { Serial.begin(kBaud); }

int16_t board_serial_read() { return Serial.read(); }

bool board_serial_writable() { return Serial.availableForWrite() > 0; }

void board_serial_write(uint8_t byte) { Serial.write(byte); }

#endif

}  // namespace sinehil

#endif
