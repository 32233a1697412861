/* An engine whose every answer is known without arithmetic: y_q = x_q ^ 0x55, scales 1/2 and 1/4, zero points
 * 0.
 *
 * SINEHIL_INPUTS and SINEHIL_OUTPUTS change the sample's shape; every output is then the exclusive or of all
 * inputs.
 */
#include "engine.h"

#ifdef SINEHIL_DELAY_LOOPS /* on an AVR: x_q more loops than this, each of exactly four cycles */
#include <util/delay_basic.h>
#endif

#ifndef SINEHIL_INPUTS
#define SINEHIL_INPUTS 1
#define SINEHIL_OUTPUTS 1
#endif

const struct sinehil_model_identity sinehil_model_identity PROGMEM = {
    "known", "nobody", {0xC0, 0xFF, 0xEE}, 0.5f, 0.25f, 0, 0, SINEHIL_INPUTS, SINEHIL_OUTPUTS};

void sinehil_infer(const int8_t *x_q, int8_t *y_q) {
  int8_t all = 0x55;
#ifdef SINEHIL_DELAY_LOOPS
  _delay_loop_2((uint16_t)(SINEHIL_DELAY_LOOPS + x_q[0]));
#endif
  for (uint8_t i = 0; i < SINEHIL_INPUTS; ++i) all = (int8_t)(all ^ x_q[i]);
  for (uint8_t i = 0; i < SINEHIL_OUTPUTS; ++i) y_q[i] = all;
}

int8_t sinehil_quantize_input(float x) {
  if (!(x < 63.5f)) return 127;
  return x <= -64.0f ? -128 : (int8_t)(x * 2.0f);
}

float sinehil_dequantize_output(int8_t y_q) { return (float)y_q * 0.25f; }

uint32_t sinehil_weights_crc32(void) { return 0x12345678UL; }
