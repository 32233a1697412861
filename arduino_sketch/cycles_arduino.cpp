/* Cycles of one inference by a counter of the chip: Timer1 on AVR, SysTick on Arm Cortex-M; others have none.
 */
#ifdef ARDUINO

#include <Arduino.h>

#include "sinehil_board.h"

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define SINEHIL_SYSTICK
#endif

namespace sinehil {

#if defined(__AVR__) || defined(SINEHIL_SYSTICK)

namespace {

void do_nothing(const int8_t *, int8_t *) { __asm__ volatile("" ::: "memory"); }

}  // namespace

#endif

#if defined(__AVR__)

namespace {

constexpr uint8_t kByOne = _BV(CS10);
constexpr uint8_t kBySixtyFour = _BV(CS11) | _BV(CS10);

/* Timer1 ticks of one call with interrupts off. Timer1 drives only the PWM of pins 9 and 10 in the Arduino
 * core.
 * Neither inlined nor cloned: the empty call must go the very way of the measured one for their difference to
 * be exact. */
__attribute__((noinline, noclone)) uint32_t ticks(uint8_t prescaler, Inference inference, const int8_t *x_q,
                                                  int8_t *y_q) {
  const uint8_t status = SREG, mode_a = TCCR1A, mode_b = TCCR1B;
  cli();
  TCCR1A = 0;
  TCCR1B = 0;
  TCNT1 = 0;
  TIFR1 = _BV(TOV1);
  TCCR1B = prescaler;
  inference(x_q, y_q);
  const uint16_t low = TCNT1; /* read while it runs: the time that takes is part of the overhead */
  const bool overflowed = (TIFR1 & _BV(TOV1)) && low < 0xFF00; /* else it overflowed after the reading */
  TCCR1A = mode_a;
  TCCR1B = mode_b;
  SREG = status;
  return low + (overflowed ? 65536UL : 0);
}

}  // namespace

uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q) {
  /* The exact count sees one overflow only, so a call of more than 131,071 cycles is told from a coarse one.
   */
  const uint32_t coarse = ticks(kBySixtyFour, inference, x_q, y_q) * 64;
  if (coarse > 130000UL) return coarse;
  volatile Inference nothing = do_nothing; /* volatile, or the call that is to be measured would be inlined */
  return ticks(kByOne, inference, x_q, y_q) - ticks(kByOne, nothing, x_q, y_q);
}

#elif defined(SINEHIL_SYSTICK)

namespace {

/* Armv6-M and later have it at this address (DDI 0419, B3.3), and cores have several names for it. Where a
 * chip comes without, it reads as zero, and so does what is measured. */
struct SystemTimer {
  volatile uint32_t control, reload, current; /* counts down from reload to 0: a period of reload + 1 */
};
constexpr uint32_t kSystemTimer = 0xE000E010;
constexpr uint32_t kEnable = 1 << 0, kProcessorClock = 1 << 2; /* and no interrupt */

constexpr uint32_t kLong = 1UL << 24, kStep = 1UL << 18, kShort = kLong - kStep; /* periods in cycles */

/* Cycles of one call with interrupts off, modulo a period of the timer.
 * Most cores make their millis() of this timer. It gets its settings back and counts on; the time of the call
 * is missing from millis(), and the millisecond in which it began begins again, for where it stood cannot be
 * written. A tick that is due before or after waits for the interrupts.
 * Neither inlined nor cloned: the empty call must go the very way of the measured one. */
__attribute__((noinline, noclone)) uint32_t cycles(uint32_t period, Inference inference, const int8_t *x_q,
                                                   int8_t *y_q) {
  SystemTimer *const timer = reinterpret_cast<SystemTimer *>(kSystemTimer);
  uint32_t masked;
  __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(masked)::"memory");
  const uint32_t control = timer->control, reload = timer->reload;
  timer->control = 0;
  timer->reload = period - 1;
  timer->current = 0; /* whatever is written; it goes on with reload */
  timer->control = kEnable | kProcessorClock;
  const uint32_t before = timer->current;
  inference(x_q, y_q);
  const uint32_t after = timer->current; /* read while it runs: the time that takes is part of the overhead */
  timer->control = 0;
  timer->reload = reload;
  timer->current = 0;
  timer->control = control;
  __asm__ volatile("msr primask, %0" ::"r"(masked) : "memory");
  return before >= after ? before - after : before + period - after;
}

}  // namespace

uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q) {
  /* The timer's own flag does not tell one wrap from more. As on a vernier, two periods do: with each wrap
   * their counts are kStep further apart, up to 62 wraps, 10^9 cycles. The first call may take half of kStep
   * longer or shorter than the second, which then runs from a cache. */
  const uint32_t cold = cycles(kShort, inference, x_q, y_q);
  const uint32_t warm = cycles(kLong, inference, x_q, y_q);
  const uint32_t wraps = (cold + 2 * kShort + kStep / 2 - warm) % kShort / kStep;
  /* 2^25 cycles are half a second at 64 MHz; a kernel that takes longer does not fit such a chip's flash. The
   * reply's sum of 112 of them fits its 32 bits, of more it might not: better no count than a small one. */
  if (wraps > 1) return 0;
  volatile Inference nothing = do_nothing; /* volatile, or the call that is to be measured would be inlined */
  return wraps * kLong + warm - cycles(kLong, nothing, x_q, y_q);
}

#else

uint32_t board_measure_cycles(Inference, const int8_t *, int8_t *) { return 0; }

#endif

}  // namespace sinehil

#endif
