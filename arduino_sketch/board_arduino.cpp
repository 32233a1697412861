#ifdef ARDUINO

#include <Arduino.h>

#include "board.h"

namespace sinehil {

#if defined(ARDUINO_AVR_UNO)
const char kBoardName[kBoardNameBytes] PROGMEM = "uno";
#elif defined(ARDUINO_AVR_MEGA2560)
const char kBoardName[kBoardNameBytes] PROGMEM = "mega";
#else
const char kBoardName[kBoardNameBytes] PROGMEM = "arduino";
#endif

uint32_t board_clock_hz() { return F_CPU; }

uint32_t board_uptime_ms() { return millis(); }

uint32_t board_uptime_us() { return micros(); }

void board_led_begin() { pinMode(LED_BUILTIN, OUTPUT); }

#ifdef __AVR__

void board_led(bool on) {
  /* digitalWrite would look for a PWM to turn off, which is never on here. */
  volatile uint8_t *const port = portOutputRegister(digitalPinToPort(LED_BUILTIN));
  const uint8_t mask = digitalPinToBitMask(LED_BUILTIN);
  if (on) {
    *port |= mask;
  } else {
    *port &= ~mask;
  }
}

namespace {

constexpr uint8_t kByOne = _BV(CS10);
constexpr uint8_t kBySixtyFour = _BV(CS11) | _BV(CS10);

void do_nothing(const int8_t *, int8_t *) { __asm__ volatile("" ::: "memory"); }

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

#else

void board_led(bool on) { digitalWrite(LED_BUILTIN, on ? HIGH : LOW); }

uint32_t board_measure_cycles(Inference, const int8_t *, int8_t *) { return 0; }

#endif

}  // namespace sinehil

#endif
