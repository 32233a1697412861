/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sinehil-vboard: one simulated board. See README.md for which file does what. */
#ifndef VBOARD_H
#define VBOARD_H

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_BYTES 65536u
#define CPU_HZ 16000000u
#define CONTROL_CLIENTS 4

/* Bytes on their way, in a ring whose indices run freely. */
struct ring {
  uint8_t bytes[RING_BYTES];
  uint32_t head, tail;
};

struct counters {
  uint64_t received, sent;  /* bytes, as the chip sees them */
  uint64_t overruns;        /* bytes lost because the sketch was late */
  uint64_t baud_errors;     /* bytes garbled because host and chip disagree on the baud rate */
  uint64_t resets, crashes; /* resets from outside; watchdog resets are the chip's own affair */
  uint64_t watchdog_resets;
};

struct board {
  avr_t *avr;
  avr_uart_t *uart;
  avr_irq_t *uart_in;
  void (*core_reset)(avr_t *);
  struct ring to_chip, to_host;
  bool receiving, hold; /* a byte is on the line; simavr's FIFO is full */
  bool halted, stalled, external_reset;
  uint8_t watchdog_period;         /* as last written to WDTCSR */
  uint64_t host_cycle, chip_cycle; /* when a byte last came from the host, from the chip */
  struct counters count;

  int master, watch, listener;
  int clients[CONTROL_CLIENTS]; /* fds, 0 where there is none */
  unsigned next_client;
  int opens;
  char slave[64];
  const char *link, *control_path, *flash_path;
};

static inline uint32_t ring_used(const struct ring *r) { return r->head - r->tail; }
static inline uint32_t ring_free(const struct ring *r) { return RING_BYTES - ring_used(r); }
static inline void ring_put(struct ring *r, uint8_t byte) { r->bytes[r->head++ % RING_BYTES] = byte; }
static inline uint8_t ring_take(struct ring *r) { return r->bytes[r->tail++ % RING_BYTES]; }
static inline void ring_clear(struct ring *r) { r->tail = r->head; }

/* chip.c */
bool chip_init(struct board *b, const char *bootloader);
void chip_reset(struct board *b);
void chip_run(struct board *b, uint64_t cycles);
bool chip_flip(struct board *b, uint32_t address, unsigned bit);
bool chip_save_flash(const struct board *b);

/* uart.c */
bool uart_init(struct board *b);
void uart_after_reset(struct board *b);
void uart_kick(struct board *b);
uint32_t uart_baud(const struct board *b);

/* port.c */
bool port_plug(struct board *b);
void port_unplug(struct board *b);
void port_poll(struct board *b);
uint32_t port_host_baud(const struct board *b);

/* control.c */
bool control_init(struct board *b);
void control_poll(struct board *b);
void control_close(struct board *b);

/* hex.c: write an Intel HEX file into flash; the lowest address written, or -1 with a message on stderr. */
int64_t hex_load(const char *path, uint8_t *flash, uint32_t size);

#endif
