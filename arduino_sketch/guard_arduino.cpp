/* What the board does about its own failures: a watchdog, and RAM painted to see how deep the stack has been.
 */
#ifdef ARDUINO

#include <Arduino.h>

#include "sinehil_board.h"

/* Not on chips with a USB of their own: their bootloader is entered by a watchdog that nobody may put off,
 * and a write waits there for a host that does not read. */
#if defined(__AVR__) && !defined(USBCON)
#define SINEHIL_WATCHDOG
#include <avr/wdt.h>
#endif

namespace sinehil {

#ifdef __AVR__

namespace {

constexpr uint8_t kPaint = 0xC5; /* neither 0 nor 0xFF, which a stack is full of */

}  // namespace

extern "C" {

extern uint8_t __heap_start;

/* Before the first variable has its value: the stack is empty, and a watchdog left on by what ran before may
 * have 16 ms to go. It is timed anew here rather than turned off, so that start-up is watched too. In
 * assembly, for C would be free to use the very stack that is painted. */
__attribute__((naked, used, section(".init3"))) void sinehil_guard_begin() {
#ifdef SINEHIL_WATCHDOG
  wdt_enable(WDTO_1S);
#endif
  __asm__ volatile(
      "ldi r30, lo8(__heap_start)\n"
      "ldi r31, hi8(__heap_start)\n"
      "ldi r24, %[paint]\n"
      "ldi r25, hi8(%[end])\n"
      "1: st Z+, r24\n"
      "cpi r30, lo8(%[end])\n"
      "cpc r31, r25\n"
      "brne 1b\n" ::[paint] "i"(static_cast<int>(kPaint)),
      [end] "i"(RAMEND + 1)
      : "r24", "r25", "r30", "r31", "memory");
}

}  // extern "C"

uint16_t board_free_ram_bytes() {
  /* No heap: everything between the static data and the stack is free. */
  return static_cast<uint16_t>(SP - reinterpret_cast<uint16_t>(&__heap_start));
}

uint16_t board_least_free_ram_bytes() {
  const volatile uint8_t *at = &__heap_start;
  while (*at == kPaint) ++at; /* the stack that called us ends it at the latest */
  return static_cast<uint16_t>(reinterpret_cast<uint16_t>(at) - reinterpret_cast<uint16_t>(&__heap_start));
}

#else

uint16_t board_free_ram_bytes() { return 0; }

uint16_t board_least_free_ram_bytes() { return 0; }

#endif

void board_alive() {
#ifdef SINEHIL_WATCHDOG
  wdt_reset();
#endif
}

}  // namespace sinehil

#endif
