/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sinehil-vboard: one simulated board. See README.md for which file does what. */
#ifndef VBOARD_H
#define VBOARD_H

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ring.h"

#define CPU_HZ 16000000u
#define MAX_CLIENTS 4
#define LINE_BYTES 128

/* What is counted over the whole life of the board; bytes as they pass on the line. */
struct counters {
  uint64_t received, sent;
  uint64_t received_at, sent_at; /* cycles at the last of each */
  uint64_t overruns;             /* bytes the sketch was too late to read */
  uint64_t lost;                 /* bytes that met a receiver switched off, or a chip that stands */
  uint64_t unread;               /* bytes for a host that does not read them */
  uint64_t baud_errors;          /* bytes garbled because host and chip differ in speed */
  uint64_t opened;               /* times the port went from closed to open */
  uint64_t resets, watchdog_resets, crashes; /* resets from outside; by the chip itself; runs into nonsense */
  uint64_t flash_writes;                     /* pages erased or written by the bootloader */
};

/* Measuring in firmware: each write to GPIOR0 is a mark; `span` is the cycles between the last two. */
struct marks {
  uint64_t count, at_cycle, span;
  uint8_t value;
};

struct client {
  int fd;
  size_t used;
  bool skipping; /* the rest of a line that was too long */
  char line[LINE_BYTES];
};

struct board {
  avr_t *avr;
  avr_uart_t *uart;
  avr_irq_t *uart_in;
  void (*core_reset)(avr_t *);
  int (*core_flash)(struct avr_io_t *, uint32_t, void *);
  uint8_t *boot_copy;
  uint8_t watchdog_period; /* as last written to WDTCSR */
  bool halted, stalled, resetting, flash_dirty;
  struct counters count;
  struct marks marks;

  struct ring to_chip, to_host;
  bool feeding;          /* a byte is on the line towards the chip */
  uint32_t host_baud;    /* as the host set it, 0 if unknown */
  uint64_t rush_until;   /* run ahead of real time up to this cycle: somebody waits for an answer */
  uint64_t rush_no_more; /* answers alone do not prolong that beyond here */

  int master, watch, listener;
  int opens;    /* as events tell, for the edge that resets */
  bool is_open; /* as it is */
  bool leaves_after_upload;
  uint64_t writes_before; /* flash_writes when that was asked for */
  char slave[64];
  struct client clients[MAX_CLIENTS];
  const char *link;       /* as asked for; the control socket stays beside it */
  char *name, *next_name; /* where the port appears, and where it will when plugged in next */
  const char *flash_path, *registry;
};

/* chip.c: the ATmega328P */
bool chip_init(struct board *b, const char *bootloader);
void chip_reset(struct board *b); /* the reset line, as by the port's DTR */
void chip_run(struct board *b, uint64_t cycles);
void chip_watch(struct board *b, uint16_t address, avr_irq_notify_t notify);

/* flash.c: what is in it, and what keeps it */
bool flash_init(struct board *b, const char *bootloader);
bool flash_flip(struct board *b, uint32_t address, unsigned bit);
bool flash_save(struct board *b);

/* uart.c: bytes at the pace of the line */
bool uart_init(struct board *b);
void uart_after_reset(struct board *b);
void uart_feed(struct board *b);
uint32_t uart_baud(const struct board *b);

/* port.c: the PTY and its link, listed in the registry while plugged. `port_exchange` moves bytes and takes
   opens and closes. */
bool port_plug(struct board *b);
void port_unplug(struct board *b);
bool port_rename(struct board *b, const char *name); /* from the next plug on, in the folder of the link */
void port_leave_after_upload(struct board *b);       /* unplug when the port closes after an upload */
void port_exchange(struct board *b);
void port_note_speed(struct board *b); /* a host that sets its speed tells nobody: look often */

/* baud.c: the speed a host has set on our PTY, 0 if unknown */
uint32_t baud_of_host(int master);

/* control.c: the socket beside the link. commands.c: what one line does; the answer ends in a newline. */
enum control { CONTROL_OK, CONTROL_TAKEN, CONTROL_FAILED };
enum control control_open(struct board *b);
void control_close(struct board *b);
void control_accept(struct board *b);
void control_serve(struct board *b, struct client *c);
void command_obey(struct board *b, const char *line, char *answer, size_t size);

/* registry.c: the entry by which others find this board, and the line that says it is ready */
const char *registry_entry(const char *folder); /* the path of ours */
void registry_add(const struct board *b);
void registry_remove(const struct board *b);
void registry_announce(const struct board *b);

/* hex.c: write an Intel HEX file into flash; the lowest address written, or -1 with a message on stderr. */
int64_t hex_load(const char *path, uint8_t *flash, uint32_t size);

#endif
