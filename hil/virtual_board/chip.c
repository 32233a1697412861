/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <simavr/avr_watchdog.h>
#include <simavr/sim_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vboard.h"

#define FARTHEST_READ (1u << 24)
#define LONGEST_PUSH 3u
#define MOST_MESSAGES 20u
#define WDTCSR 0x60
#define WATCHDOG_PERIOD 0x27 /* WDP3 and WDP2..0 */

static struct board *the_board; /* simavr's reset hook has no room for a pointer of ours */

/* avr_reset() drops every cycle timer, and the watchdog calls it too. */
static void on_reset(avr_t *avr) {
  if (the_board->core_reset) the_board->core_reset(avr);
  uart_after_reset(the_board);
  if (!the_board->external_reset) the_board->count.watchdog_resets++;
}

/* Time is kept by the main loop; simavr's own sleep would wait for real. */
static void no_sleep(avr_t *avr, avr_cycle_count_t how_long) {
  (void)avr;
  (void)how_long;
}

/* A damaged program makes simavr complain at every instruction; nobody may be reading stderr, and a full pipe
 * would stop us. */
static void quiet(avr_t *avr, const int level, const char *format, va_list arguments) {
  static unsigned said;
  (void)avr;
  if (level <= LOG_ERROR && said++ < MOST_MESSAGES) vfprintf(stderr, format, arguments);
}

/* simavr 1.6 times an enabled watchdog anew only at WDR: a shorter period, as Optiboot sets to leave for the
 * sketch, would come into force after the old one. */
static void on_watchdog_setting(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value; /* not taken over without the unlocking write before it */
  struct board *b = param;
  const uint8_t period = b->avr->data[WDTCSR] & WATCHDOG_PERIOD;
  if (period != b->watchdog_period) avr_ioctl(b->avr, AVR_IOCTL_WATCHDOG_RESET, NULL);
  b->watchdog_period = period;
}

/* ELPM, one flipped bit from LPM, makes simavr read as far as its 24-bit pointer goes, unchecked: give it
 * room. */
static bool widen_flash(avr_t *avr) {
  uint8_t *wide = realloc(avr->flash, FARTHEST_READ);
  if (wide) avr->flash = wide;
  return wide;
}

static void load_flash(struct board *b) {
  memset(b->avr->flash, 0xFF, b->avr->flashend + 1);
  FILE *file = b->flash_path ? fopen(b->flash_path, "rb") : NULL;
  if (!file) return;
  if (fread(b->avr->flash, 1, b->avr->flashend + 1, file) == 0)
    fprintf(stderr, "%s is empty\n", b->flash_path);
  fclose(file);
}

bool chip_init(struct board *b, const char *bootloader) {
  avr_global_logger_set(quiet);
  b->avr = avr_make_mcu_by_name("atmega328p");
  if (!b->avr) return false;
  avr_init(b->avr);
  the_board = b;
  b->avr->frequency = CPU_HZ;
  b->avr->log = LOG_ERROR;
  b->avr->sleep = no_sleep;
  b->core_reset = b->avr->reset;
  b->avr->reset = on_reset;
  avr_irq_register_notify(avr_iomem_getirq(b->avr, WDTCSR, NULL, AVR_IOMEM_IRQ_ALL), on_watchdog_setting, b);
  if (!widen_flash(b->avr)) return false;
  load_flash(b);
  const int64_t start = hex_load(bootloader, b->avr->flash, b->avr->flashend + 1);
  if (start < 0) return false;
  b->avr->reset_pc = (uint32_t)start;
  b->avr->codeend = b->avr->flashend;
  return uart_init(b);
}

void chip_reset(struct board *b) {
  const uint64_t cycle = b->avr->cycle;
  b->external_reset = true;
  avr_reset(b->avr);
  b->external_reset = false;
  b->avr->cycle = cycle; /* time goes on */
  avr_regbit_set(b->avr, b->avr->reset_flags.extrf);
  b->avr->pc = b->avr->reset_pc;
  b->halted = false;
  b->count.resets++;
  ring_clear(&b->to_chip);
  ring_clear(&b->to_host);
}

/* A call or an interrupt makes simavr write past its RAM, unchecked; a sketch for a Mega does so at once. */
static bool stack_is_outside(const avr_t *avr) {
  const unsigned pointer = avr->data[R_SPL] | avr->data[R_SPH] << 8;
  return pointer < LONGEST_PUSH || pointer > avr->ramend;
}

void chip_run(struct board *b, uint64_t cycles) {
  const uint64_t end = b->avr->cycle + cycles;
  while (b->avr->cycle < end && !b->halted) {
    const int state = avr_run(b->avr);
    if (state == cpu_Done || state == cpu_Crashed || stack_is_outside(b->avr)) {
      b->halted = true; /* ran over the end of flash, say: a real chip goes on at 0; both wait for a reset */
      b->count.crashes++;
    }
  }
  if (b->halted) b->avr->cycle = end;
}

bool chip_flip(struct board *b, uint32_t address, unsigned bit) {
  if (address > b->avr->flashend || bit > 7) return false;
  b->avr->flash[address] ^= (uint8_t)(1u << bit);
  return true;
}

bool chip_save_flash(const struct board *b) {
  char beside[4096];
  if (!b->flash_path) return true;
  if (snprintf(beside, sizeof beside, "%s.part", b->flash_path) >= (int)sizeof beside) return false;
  FILE *file = fopen(beside, "wb");
  if (!file) return false;
  const bool written = fwrite(b->avr->flash, 1, b->avr->flashend + 1, file) == b->avr->flashend + 1;
  if (fclose(file) != 0 || !written || rename(beside, b->flash_path) != 0) {
    unlink(beside);
    return false;
  }
  return true;
}
