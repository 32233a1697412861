/* What the sketch asks of an inference engine, be it a generated kernel or an interpreter.
 *
 * Exactly one engine is linked into a firmware. Codes are int8 as in the .tflite; real = (code - zero_point)
 * * scale.
 */
#ifndef SINEHIL_ENGINE_H
#define SINEHIL_ENGINE_H

#include <stdint.h>

#include "sinehil_progmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Packed by construction: 68 bytes, no padding, little-endian; IDENTIFY sends it as it lies in flash. */
struct sinehil_model_identity {
  char engine[12]; /* zero-padded, e.g. "speed" */
  char oracle[12]; /* zero-padded, e.g. "litert" */
  uint8_t model_sha256[32];
  float input_scale;
  float output_scale;
  int8_t input_zero_point;
  int8_t output_zero_point;
  uint8_t inputs;  /* codes a sample takes */
  uint8_t outputs; /* codes a sample gives */
};

extern const struct sinehil_model_identity sinehil_model_identity PROGMEM;

/* x_q[inputs] -> y_q[outputs], int8 to int8. */
void sinehil_infer(const int8_t *x_q, int8_t *y_q);

/* One float32 to one code and back, bit for bit as the oracle does it; both rules stand in
 * sinehil_float_io.h: litert:           return sinehil_code_half_even(x * INVERSE_SCALE, ZERO_POINT);
 *   litert-ref, tflm: return sinehil_code_half_away(x / SCALE, ZERO_POINT);
 *   all:              return sinehil_real(y_q, ZERO_POINT, SCALE);
 * Linking lrintf and comparing floats instead costs 200 bytes more on an AVR. */
int8_t sinehil_quantize_input(float x);
float sinehil_dequantize_output(int8_t y_q);

/* CRC-32 over every constant of the model, read from flash anew at each call. */
uint32_t sinehil_weights_crc32(void);

#ifdef __cplusplus
}
#endif

#endif
