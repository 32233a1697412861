/* On the ATmega328P: all 256 codes, then every float32 of probes.h, then the checksum; see avr_runner.c. */
#include <avr/io.h>

#include "engine.h"
#include "probes.h"

static const uint32_t probes[PROBE_COUNT] PROGMEM = {PROBES};

static void put(const void *data, uint8_t bytes) {
  const uint8_t *at = data;
  while (bytes--) GPIOR0 = *at++;
}

int main(void) {
  GPIOR1 = 1;
  GPIOR1 = 0; /* what counting itself costs */
  int8_t x_q, y_q;
  for (int16_t code = -128; code < 128; ++code) {
    x_q = (int8_t)code;
    GPIOR1 = 1;
    sinehil_infer(&x_q, &y_q);
    GPIOR1 = 0;
    put(&y_q, 1);
  }
  for (uint16_t i = 0; i < PROBE_COUNT; ++i) {
    const uint32_t bits = pgm_read_dword(&probes[i]);
    float x;
    memcpy(&x, &bits, sizeof x);
    x_q = sinehil_quantize_input(x);
    sinehil_infer(&x_q, &y_q);
    const float y = sinehil_dequantize_output(y_q);
    put(&y, sizeof y);
  }
  const uint32_t crc = sinehil_weights_crc32();
  put(&crc, sizeof crc);
  GPIOR2 = 1;
  for (;;) {
  }
}
