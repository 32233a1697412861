/* Between float32 and int8 codes, bit for bit as the interpreters do it, in integers on the float's bits.
 *
 * A kernel calls what its oracle needs; the linker drops the rest.
 */
#ifndef SINEHIL_FLOAT_IO_H
#define SINEHIL_FLOAT_IO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Oracle litert, scaled = x * (1 / scale): clamp(round_half_even(scaled) + zero_point); NaN gives 127. */
int8_t sinehil_code_half_even(float scaled, int8_t zero_point);

/* Oracles litert-ref and tflm, scaled = x / scale: clamp(round_half_away(scaled) + zero_point); from 2^31 on
 * in magnitude, and for NaN, 127 if zero_point < 0, else -128. */
int8_t sinehil_code_half_away(float scaled, int8_t zero_point);

/* All oracles: (float)(code - zero_point) * scale. */
float sinehil_real(int8_t code, int8_t zero_point, float scale);

#ifdef __cplusplus
}
#endif

#endif
