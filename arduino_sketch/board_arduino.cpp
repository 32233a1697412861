#ifdef ARDUINO

#include <Arduino.h>

#include "sinehil_board.h"

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

#else

void board_led(bool on) { digitalWrite(LED_BUILTIN, on ? HIGH : LOW); }

#endif

}  // namespace sinehil

#endif
