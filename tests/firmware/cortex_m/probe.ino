// Measures a loop of known length, as often as asked, and tells what became of the board's state.
// A request: u32 loops (at least one), u32 1 if interrupts are to be off, else 0. The reply: struct Reply.

#include <Arduino.h>

#include "sinehil_board.h"

static const uint32_t kLoopsOf20Ms = 156250;  // of two instructions, each of 64 ns

struct Reply {
  uint32_t cycles, primask, systick_control, systick_reload, ms_of_20;
};

// As many loops as stand at x_q: five instructions and two for each; the return is the empty call's too. It
// sets SysTick's interrupt pending in ICSR, which must not come before the loops have been measured.
extern "C" void spin(const int8_t *x_q, int8_t *y_q);
__asm__(
    ".syntax unified\n"
    ".thumb_func\n"
    "spin: ldr r2, [r0]\n"
    "ldr r3, =0xE000ED04\n"
    "movs r1, #1\n"
    "lsls r1, #26\n"
    "str r1, [r3]\n"
    "1: subs r2, #1\n"
    "bne 1b\n"
    "bx lr\n"
    ".ltorg\n");

static void spin_for(uint32_t loops) { spin(reinterpret_cast<const int8_t *>(&loops), nullptr); }

static uint32_t read_word() {
  uint32_t word = 0;
  for (uint8_t i = 0; i < 4; ++i) {
    int16_t byte;
    while ((byte = sinehil::board_serial_read()) < 0) {
    }
    word |= static_cast<uint32_t>(byte) << 8 * i;
  }
  return word;
}

void setup() {
  sinehil::board_serial_begin();
  sinehil::board_serial_write('!');  // what comes before this is not heard
}

void loop() {
  const uint32_t loops = read_word(), masked = read_word();
  const volatile uint32_t *const systick = reinterpret_cast<const volatile uint32_t *>(0xE000E010);
  Reply reply;
  if (masked) __asm__ volatile("cpsid i" ::: "memory");
  reply.cycles = sinehil::board_measure_cycles(spin, reinterpret_cast<const int8_t *>(&loops), nullptr);
  __asm__ volatile("mrs %0, primask\n\tcpsie i" : "=r"(reply.primask)::"memory");
  reply.systick_control = systick[0] & 7;  // the rest only tells
  reply.systick_reload = systick[1];
  const uint32_t before_ms = millis();
  spin_for(kLoopsOf20Ms);
  reply.ms_of_20 = millis() - before_ms;
  const uint8_t *const bytes = reinterpret_cast<const uint8_t *>(&reply);
  for (uint8_t i = 0; i < sizeof reply; ++i) sinehil::board_serial_write(bytes[i]);
}
