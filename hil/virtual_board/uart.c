/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <simavr/sim_cycle_timers.h>
#include <simavr/sim_io.h>
#include <stdlib.h>

#include "vboard.h"

DEFINE_FIFO(uint16_t, uart_fifo);

#define HARDWARE_FIFO 3 /* two buffered bytes and the shift register: a further one is lost */

static uint8_t garbled(struct board *b, uint8_t byte) {
  const double host = port_host_baud(b), chip = uart_baud(b);
  if (host == 0 || (chip > host * 0.95 && chip < host * 1.05)) return byte;
  b->count.baud_errors++;
  return (uint8_t)(byte * 29u + 71u);
}

/* One byte has crossed the line towards the chip. */
static avr_cycle_count_t on_line(avr_t *avr, avr_cycle_count_t when, void *param) {
  struct board *b = param;
  if (ring_used(&b->to_chip) == 0 || b->hold) {
    b->receiving = false;
    return 0;
  }
  const uint8_t byte = garbled(b, ring_take(&b->to_chip));
  b->count.received++;
  b->host_cycle = avr->cycle;
  if (uart_fifo_get_read_size(&b->uart->input) >= HARDWARE_FIFO) {
    b->count.overruns++;
  } else {
    avr_raise_irq(b->uart_in, byte);
  }
  return when + b->uart->cycles_per_byte;
}

void uart_kick(struct board *b) {
  if (b->receiving || b->hold || ring_used(&b->to_chip) == 0) return;
  b->receiving = true;
  avr_cycle_timer_register(b->avr, b->uart->cycles_per_byte, on_line, b);
}

static void on_xon(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  struct board *b = param;
  if (!value) return;
  b->hold = false;
  uart_kick(b);
}

static void on_xoff(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  struct board *b = param;
  if (value) b->hold = true;
}

static void on_output(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  struct board *b = param;
  b->count.sent++;
  b->chip_cycle = b->avr->cycle;
  if (b->opens > 0 && ring_free(&b->to_host) > 0) ring_put(&b->to_host, garbled(b, (uint8_t)value));
}

/* simavr 1.6 counts a parity bit that is not there: 11 bits a byte instead of 10. */
static void on_baud(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value;
  struct board *b = param;
  b->uart->cycles_per_byte = b->uart->cycles_per_byte * 10 / 11;
}

bool uart_init(struct board *b) {
  avr_t *avr = b->avr;
  for (avr_io_t *io = avr->io_port; io; io = io->next) {
    if (io->kind && io->kind[0] == 'u' && ((avr_uart_t *)io)->name == '0') b->uart = (avr_uart_t *)io;
  }
  if (!b->uart) return false;
  b->uart_in = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_output, b);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_xon, b);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_xoff, b);
  avr_irq_register_notify(avr_iomem_getirq(avr, b->uart->ubrrl.reg, NULL, AVR_IOMEM_IRQ_ALL), on_baud, b);
  return true;
}

void uart_after_reset(struct board *b) {
  uint32_t flags = 0; /* POLL_SLEEP would make simavr wait in real time while the sketch polls */
  b->receiving = false;
  b->hold = false;
  if (b->uart) avr_ioctl(b->avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
}

uint32_t uart_baud(const struct board *b) {
  const uint64_t cycles = b->uart->cycles_per_byte;
  return cycles ? (uint32_t)((uint64_t)CPU_HZ * 10 / cycles) : 0;
}
