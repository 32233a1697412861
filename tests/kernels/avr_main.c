/* On the ATmega328P: every sample of codes and every row of floats in probes.h, then the checksum. */
#include <avr/io.h>

#include "probes.h"
#include "sinehil_engine.h"

static const int8_t samples[SAMPLE_COUNT][INPUTS] PROGMEM = {SAMPLES};
static const uint32_t probes[PROBE_COUNT][INPUTS] PROGMEM = {PROBES};

static void put(const void *data, uint8_t bytes) {
  const uint8_t *at = data;
  while (bytes--) GPIOR0 = *at++;
}

int main(void) {
  GPIOR1 = 1;
  GPIOR1 = 0; /* what counting itself costs */
  static int8_t x_q[INPUTS], y_q[OUTPUTS];
  for (uint16_t i = 0; i < SAMPLE_COUNT; ++i) {
    memcpy_P(x_q, samples[i], INPUTS);
    GPIOR1 = 1;
    sinehil_infer(x_q, y_q);
    GPIOR1 = 0;
    put(y_q, OUTPUTS);
  }
  for (uint16_t i = 0; i < PROBE_COUNT; ++i) {
    for (uint8_t j = 0; j < INPUTS; ++j) {
      const uint32_t bits = pgm_read_dword(&probes[i][j]);
      float x;
      memcpy(&x, &bits, sizeof x);
      x_q[j] = sinehil_quantize_input(x);
    }
    sinehil_infer(x_q, y_q);
    for (uint8_t j = 0; j < OUTPUTS; ++j) {
      const float y = sinehil_dequantize_output(y_q[j]);
      put(&y, sizeof y);
    }
  }
  const uint32_t crc = sinehil_weights_crc32();
  put(&crc, sizeof crc);
  GPIOR2 = 1;
  for (;;) {
  }
}
