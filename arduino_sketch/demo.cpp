#ifdef ARDUINO

#include <Arduino.h>

#include "sinehil_board.h"
#include "sinehil_demo.h"
#include "sinehil_engine.h"
#include "sinehil_float_io.h"
#include "sinehil_plot_line.h"
#include "sinehil_shape.h"

namespace sinehil {

namespace {

constexpr bool kIsCurve = SINEHIL_INPUTS == 1 && SINEHIL_OUTPUTS == 1; /* else there is no y over x to show */
constexpr float kTwoPi = 6.2831853f;
constexpr uint8_t kStepsPerCycle = 200;
constexpr uint8_t kStepMs = 20; /* a cycle takes four seconds */

uint8_t step;
uint8_t led;
uint16_t last_ms;
char line[kPlotLineBytes];
uint8_t length, sent;

void next_sample() {
  const float x = sinehil_real(static_cast<int8_t>(step - 128), -128, kTwoPi / kStepsPerCycle);
  int8_t x_q = sinehil_quantize_input(x), y_q;
  sinehil_infer(&x_q, &y_q);
  const float y = sinehil_dequantize_output(y_q);
  led = brightness(y);
  length = write_plot_line(line, x, y);
  sent = 0;
  step = step + 1 == kStepsPerCycle ? 0 : step + 1;
}

}  // namespace

void demo_setup() {
  if (kIsCurve) board_led_begin();
}

void demo_step() {
  if (!kIsCurve) return;
  const uint16_t now_ms = static_cast<uint16_t>(millis());
  if (static_cast<uint16_t>(now_ms - last_ms) >= kStepMs) {
    last_ms = now_ms;
    next_sample();
  }
  /* A byte at a time, or the LED would stand still for two milliseconds. */
  if (sent < length && board_serial_writable()) board_serial_write(static_cast<uint8_t>(line[sent++]));
  /* The Uno's LED pin has no PWM: switch it by a 4 ms ramp of the microsecond clock, which is 244 Hz. */
  board_led(static_cast<uint8_t>(micros() >> 4) < led);
}

}  // namespace sinehil

#endif
