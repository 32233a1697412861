/* Runs a kernel: 256 output codes for the codes in order, then y for every float32 that comes in. */
#include <stdio.h>

#include "engine.h"

int main(void) {
  for (int code = -128; code < 128; ++code) {
    int8_t x_q = (int8_t)code, y_q;
    sinehil_infer(&x_q, &y_q);
    fwrite(&y_q, 1, 1, stdout);
  }
  float x;
  while (fread(&x, sizeof x, 1, stdin) == 1) {
    int8_t x_q = sinehil_quantize_input(x), y_q;
    sinehil_infer(&x_q, &y_q);
    const float y = sinehil_dequantize_output(y_q);
    fwrite(&y, sizeof y, 1, stdout);
  }
  return sinehil_weights_crc32() == 0;
}
