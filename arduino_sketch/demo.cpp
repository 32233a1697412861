#ifdef ARDUINO

#include "demo.h"

#include <Arduino.h>

#include "engine.h"
#include "plot_line.h"

namespace sinehil {

namespace {

constexpr float kTwoPi = 6.2831853f;
constexpr uint8_t kStepsPerCycle = 200;
constexpr uint8_t kStepMs = 20; /* a cycle takes four seconds */

uint8_t step;
uint8_t brightness;
uint16_t last_ms;

void next_sample() {
  const float x = step * (kTwoPi / kStepsPerCycle);
  int8_t x_q = sinehil_quantize_input(x), y_q;
  sinehil_infer(&x_q, &y_q);
  const float y = sinehil_dequantize_output(y_q);
  brightness = static_cast<uint8_t>(constrain(127.5f * (y + 1.0f), 0.0f, 255.0f));
  char line[kPlotLineBytes];
  Serial.write(line, write_plot_line(line, x, y));
  step = step + 1 == kStepsPerCycle ? 0 : step + 1;
}

}  // namespace

void demo_setup() { pinMode(LED_BUILTIN, OUTPUT); }

void demo_step() {
  /* A model of another shape has no y over x to show. */
  const bool is_curve = pgm_read_byte(&sinehil_model_identity.inputs) == 1 &&
                        pgm_read_byte(&sinehil_model_identity.outputs) == 1;
  if (!is_curve) return;
  const uint16_t now_ms = static_cast<uint16_t>(millis());
  if (static_cast<uint16_t>(now_ms - last_ms) >= kStepMs) {
    last_ms = now_ms;
    next_sample();
  }
  /* The Uno's LED pin has no PWM: switch it by a 4 ms ramp of the microsecond clock, which is 244 Hz. */
  const uint8_t ramp = static_cast<uint8_t>(micros() >> 4);
  digitalWrite(LED_BUILTIN, ramp < brightness ? HIGH : LOW);
}

}  // namespace sinehil

#endif
