/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <simavr/sim_cycle_timers.h>
#include <simavr/sim_io.h>
#include <string.h>

#include "vboard.h"
#include "wire.h"

DEFINE_FIFO(uint16_t, uart_fifo);

#define HARDWARE_FIFO 3              /* two buffered bytes and the shift register; simavr's holds 64 */
#define TRANSMIT_BUFFER 2            /* the shift register and the byte behind it */
#define RUSH_AFTER_BYTE (CPU_HZ / 4) /* the host waits for an answer, which may take some computing */
#define RUSH_AFTER_ANSWER (CPU_HZ / 20)
#define RUSH_AT_MOST CPU_HZ /* a sketch that never stops printing does not rush for ever */
#define PARITY_BITS 0x30

static bool speeds_agree(const struct board *b) {
  return b->host_baud == 0 || wire_agrees(b->host_baud, uart_baud(b));
}

/* Cycles from one start bit to the next: the slower side sets the pace. */
static uint64_t byte_cycles(const struct board *b) {
  const uint64_t host = b->host_baud ? CPU_HZ * 10ull / b->host_baud : 0;
  return host > b->uart->cycles_per_byte ? host : b->uart->cycles_per_byte;
}

static void receive(struct board *b, uint8_t byte) {
  bool framing_error = false;
  if (!avr_regbit_get(b->avr, b->uart->rxen)) {
    b->count.lost++;
    return;
  }
  if (uart_fifo_get_read_size(&b->uart->input) >= HARDWARE_FIFO) {
    avr_regbit_set(b->avr, b->uart->dor);
    b->count.overruns++;
    return;
  }
  if (!speeds_agree(b)) {
    byte = wire_received(byte, b->host_baud, uart_baud(b), &framing_error);
    b->count.baud_errors++;
  }
  avr_raise_irq(b->uart_in, byte | (framing_error ? UART_INPUT_FE : 0u));
}

/* The start bit of the next byte; simavr shows the byte to the sketch one byte time later. */
static avr_cycle_count_t on_start_bit(avr_t *avr, avr_cycle_count_t when, void *param) {
  struct board *b = param;
  if (ring_used(&b->to_chip) == 0) {
    b->feeding = false;
    return 0;
  }
  b->count.received++;
  b->count.received_at = avr->cycle;
  b->rush_until = avr->cycle + RUSH_AFTER_BYTE;
  b->rush_no_more = avr->cycle + RUSH_AT_MOST;
  receive(b, ring_take(&b->to_chip));
  return when + byte_cycles(b);
}

void uart_feed(struct board *b) {
  if (b->feeding || ring_used(&b->to_chip) == 0) return;
  b->feeding = true;
  avr_cycle_timer_register(b->avr, 1, on_start_bit, b);
}

static void prolong_rush(struct board *b) {
  uint64_t until = b->avr->cycle + RUSH_AFTER_ANSWER;
  if (b->avr->cycle >= b->rush_until) return;
  if (until > b->rush_no_more) until = b->rush_no_more;
  if (until > b->rush_until) b->rush_until = until;
}

static void on_output(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  struct board *b = param;
  bool framing_error;
  uint8_t byte = (uint8_t)value;
  b->count.sent++;
  b->count.sent_at = b->avr->cycle;
  prolong_rush(b);
  if (!b->is_open) return; /* nobody listens */
  if (!speeds_agree(b)) {
    byte = wire_received(byte, uart_baud(b), b->host_baud, &framing_error);
    b->count.baud_errors++;
  }
  if (ring_free(&b->to_host) == 0)
    b->count.unread++;
  else
    ring_put(&b->to_host, byte);
}

/* simavr 1.6 counts a parity bit that is not there, and forgets U2X and UCSRC when they are set after UBRR.
 */
static void on_settings(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value;
  struct board *b = param;
  avr_uart_t *u = b->uart;
  avr_t *avr = b->avr;
  const unsigned divider = avr_regbit_get(avr, u->ubrrl) | (unsigned)avr_regbit_get(avr, u->ubrrh) << 8;
  const unsigned data_bits = 5 + avr_regbit_get(avr, u->ucsz);
  const unsigned parity_bit = (avr->data[u->r_ucsrc] & PARITY_BITS) != 0;
  const unsigned stop_bits = 1 + avr_regbit_get(avr, u->usbs);
  const unsigned bit_cycles = (divider + 1) * (avr_regbit_get(avr, u->u2x) ? 8 : 16);
  u->cycles_per_byte = bit_cycles * (1 + data_bits + parity_bit + stop_bits);
}

/* simavr 1.6 lets a write to UCSRA clear the flag of the empty transmit buffer, which a chip has as
 * read-only: a sketch that polls it would wait for ever. */
static void on_status_written(avr_irq_t *irq, uint32_t value, void *param) {
  struct board *b = param;
  if (b->uart->tx_cnt < TRANSMIT_BUFFER) avr_regbit_set(b->avr, b->uart->udrc.raised);
  on_settings(irq, value, param);
}

static avr_uart_t *find_uart(const struct board *b) {
  for (avr_io_t *io = b->avr->io_port; io; io = io->next) {
    if (strcmp(io->kind, "uart") == 0 && ((avr_uart_t *)io)->name == '0') return (avr_uart_t *)io;
  }
  return NULL;
}

bool uart_init(struct board *b) {
  uint32_t flags =
      0; /* POLL_SLEEP would wait in real time while the sketch polls; STDIO writes past its end */
  b->uart = find_uart(b);
  if (!b->uart) return false;
  avr_ioctl(b->avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  b->uart_in = avr_io_getirq(b->avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  avr_irq_t *out = avr_io_getirq(b->avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT);
  avr_irq_register_notify(out, on_output, b);
  chip_watch(b, b->uart->ubrrl.reg, on_settings);
  chip_watch(b, b->uart->r_ucsra, on_status_written);
  chip_watch(b, b->uart->r_ucsrc, on_settings);
  return true;
}

void uart_after_reset(struct board *b) {
  b->feeding = false;
  uart_feed(b);
}

uint32_t uart_baud(const struct board *b) {
  const uint64_t cycles = b->uart->cycles_per_byte;
  return cycles ? (uint32_t)(CPU_HZ * 10ull / cycles) : 0;
}
