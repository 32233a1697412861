/* An engine whose every answer is known without arithmetic, see known_codes in known_engine.py: with one
 * input and one output y_q = x_q ^ 0x55; scales 1/2 and 1/4, zero points 0. SINEHIL_INPUTS and
 * SINEHIL_OUTPUTS change its shape.
 */
#include "sinehil_engine.h"
#include "sinehil_shape.h"

#ifdef SINEHIL_DELAY_LOOPS /* on an AVR: x_q more loops than this, each of exactly four cycles */
#include <util/delay_basic.h>
#endif

const struct sinehil_model_identity sinehil_model_identity PROGMEM = {
    "known", "nobody", {0xC0, 0xFF, 0xEE}, 0.5f, 0.25f, 0, 0, SINEHIL_INPUTS, SINEHIL_OUTPUTS};

void sinehil_infer(const int8_t *x_q, int8_t *y_q) {
  uint8_t all = 0x55;
#ifdef SINEHIL_DELAY_LOOPS
  _delay_loop_2((uint16_t)(SINEHIL_DELAY_LOOPS + x_q[0]));
#endif
  for (uint8_t i = 0; i < SINEHIL_INPUTS; ++i) {
    const uint8_t bits = i & 7, code = (uint8_t)x_q[i];
    all ^=
        (uint8_t)((code << bits) | (code >> (8 - bits))); /* turned, so that it matters which input has it */
  }
  for (uint8_t i = 0; i < SINEHIL_OUTPUTS; ++i) y_q[i] = (int8_t)(all ^ i);
}

int8_t sinehil_quantize_input(float x) {
  if (!(x < 63.5f)) return 127;
  return x <= -64.0f ? -128 : (int8_t)(x * 2.0f);
}

float sinehil_dequantize_output(int8_t y_q) { return (float)y_q * 0.25f; }

uint32_t sinehil_weights_crc32(void) { return 0x12345678UL; }
