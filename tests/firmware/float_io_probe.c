/* float_io.c over many floats in one call. */
#include "sinehil_float_io.h"

void half_even(const float *scaled, int8_t *codes, uint32_t count, int8_t zero_point) {
  for (uint32_t i = 0; i < count; ++i) codes[i] = sinehil_code_half_even(scaled[i], zero_point);
}

void half_away(const float *scaled, int8_t *codes, uint32_t count, int8_t zero_point) {
  for (uint32_t i = 0; i < count; ++i) codes[i] = sinehil_code_half_away(scaled[i], zero_point);
}
