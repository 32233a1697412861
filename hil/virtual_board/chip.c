/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <simavr/avr_watchdog.h>
#include <simavr/sim_io.h>
#include <simavr/sim_irq.h>
#include <stdlib.h>
#include <string.h>

#include "vboard.h"

#define MARK_REGISTER 0x3E /* GPIOR0: firmware may use it freely, no hardware hangs on it */
#define REACHABLE_RAM (0x10000u + 8u)
#define LONGEST_PUSH 3u
#define WDTCSR 0x60
#define WATCHDOG_PERIOD 0x27 /* WDP3 and WDP2..0 */
#define STRETCH_CYCLES 256   /* simavr returns to its loop at least this often */

/* avr_reset() drops every cycle timer, and the watchdog calls it too: so this hook, not our callers. */
static void on_reset(avr_t *avr) {
  struct board *b = avr->custom.data;
  if (b->core_reset) b->core_reset(avr);
  avr->run_cycle_limit = STRETCH_CYCLES;
  uart_after_reset(b);
  if (!b->resetting) b->count.watchdog_resets++;
}

/* Time is kept by the main loop; simavr's own sleep would wait for real. */
static void no_sleep(avr_t *avr, avr_cycle_count_t how_long) {
  (void)avr;
  (void)how_long;
}

/* Firmware can provoke messages without end; what matters of them is counted. */
static void no_log(avr_t *avr, const int level, const char *format, va_list arguments) {
  (void)avr;
  (void)level;
  (void)format;
  (void)arguments;
}

static void on_mark(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  struct board *b = param;
  b->marks.span = b->marks.count++ ? b->avr->cycle - b->marks.at_cycle : 0;
  b->marks.at_cycle = b->avr->cycle;
  b->marks.value = (uint8_t)value;
}

/* simavr 1.6 times a running watchdog anew only at WDR: a shorter period, as Optiboot sets to leave for the
   sketch, would come into force after the old one. */
static void on_watchdog(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)value; /* not taken over without the unlocking write before it */
  struct board *b = param;
  const uint8_t period = b->avr->data[WDTCSR] & WATCHDOG_PERIOD;
  if (period != b->watchdog_period) avr_ioctl(b->avr, AVR_IOCTL_WATCHDOG_RESET, NULL);
  b->watchdog_period = period;
}

void chip_watch(struct board *b, uint16_t address, avr_irq_notify_t notify) {
  avr_irq_register_notify(avr_iomem_getirq(b->avr, address, NULL, AVR_IOMEM_IRQ_ALL), notify, b);
}

/* Calls and interrupts make simavr write wherever the stack pointer points, unchecked: give it the room. */
static bool widen_ram(avr_t *avr) {
  uint8_t *wide = realloc(avr->data, REACHABLE_RAM);
  if (!wide) return false;
  memset(wide + avr->ramend + 1, 0, REACHABLE_RAM - avr->ramend - 1u);
  avr->data = wide;
  return true;
}

/* A sketch for a Mega gets there at once. */
static bool stack_is_outside(const avr_t *avr) {
  const unsigned pointer = avr->data[R_SPL] | (unsigned)avr->data[R_SPH] << 8;
  return pointer < LONGEST_PUSH || pointer > avr->ramend;
}

bool chip_init(struct board *b, const char *bootloader) {
  avr_global_logger_set(no_log);
  b->avr = avr_make_mcu_by_name("atmega328p");
  if (!b->avr || avr_init(b->avr) != 0 || !widen_ram(b->avr)) return false;
  b->avr->frequency = CPU_HZ;
  b->avr->sleep = no_sleep;
  b->avr->custom.data = b;
  b->core_reset = b->avr->reset;
  b->avr->reset = on_reset;
  chip_watch(b, MARK_REGISTER, on_mark);
  chip_watch(b, WDTCSR, on_watchdog);
  return uart_init(b) && flash_init(b, bootloader);
}

void chip_reset(struct board *b) {
  b->resetting = true;
  avr_reset(b->avr);
  b->resetting = false;
  avr_regbit_set(b->avr, b->avr->reset_flags.extrf);
  b->halted = false;
  b->rush_until = 0;
  b->count.resets++;
  ring_clear(&b->to_chip);
  ring_clear(&b->to_host);
}

/* Blank flash and other nonsense: a real chip runs in circles, ours stands; both wait for a reset. */
void chip_run(struct board *b, uint64_t cycles) {
  const uint64_t end = b->avr->cycle + cycles;
  while (b->avr->cycle < end && !b->halted) {
    const int state = avr_run(b->avr);
    if (state == cpu_Done || state == cpu_Crashed || stack_is_outside(b->avr)) {
      b->halted = true;
      b->count.crashes++;
    }
  }
}
