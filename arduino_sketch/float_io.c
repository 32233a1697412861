#include <string.h>

#include "sinehil_float_io.h"

#define BIAS 127   /* of the exponent */
#define BEYOND 512 /* a magnitude that saturates whatever the zero point */

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* The magnitude rounded to a whole number, BEYOND from 512 on: a half goes to the even one or away from zero.
 */
static uint16_t rounded(uint32_t bits, uint8_t to_even) {
  const uint8_t exponent = (uint8_t)(bits >> 23);
  if (exponent < BIAS - 1) return 0; /* less than a half */
  if (exponent > BIAS + 8) return BEYOND;
  /* Two times the magnitude, whole: the leading bit and 15 more, of which 6 to 15 are cut off. */
  uint16_t twice = (uint16_t)(bits >> 8) | 0x8000;
  uint8_t inexact = (uint8_t)bits;
  for (uint8_t cut = BIAS + 14 - exponent; cut > 0; --cut) {
    inexact |= (uint8_t)twice & 1;
    twice >>= 1;
  }
  uint16_t whole = twice >> 1;
  if ((twice & 1) && (!to_even || inexact || (whole & 1))) ++whole;
  return whole;
}

static int8_t code_of(uint32_t bits, uint16_t magnitude, int8_t zero_point) {
  const int16_t code = (int16_t)(((int32_t)bits < 0 ? -(int16_t)magnitude : (int16_t)magnitude) + zero_point);
  if (code > 127) return 127;
  return code < -128 ? -128 : (int8_t)code;
}

int8_t sinehil_code_half_even(float scaled, int8_t zero_point) {
  const uint32_t bits = bits_of(scaled);
  if ((bits << 1) > 0xFF000000UL) return 127; /* NaN */
  return code_of(bits, rounded(bits, 1), zero_point);
}

int8_t sinehil_code_half_away(float scaled, int8_t zero_point) {
  const uint32_t bits = bits_of(scaled);
  if ((uint8_t)(bits >> 23) >= BIAS + 31) return zero_point < 0 ? 127 : -128;
  return code_of(bits, rounded(bits, 0), zero_point);
}

float sinehil_real(int8_t code, int8_t zero_point, float scale) {
  const int16_t difference = (int16_t)(code - zero_point);
  if (difference == 0) return 0.0f;
  /* A whole number below 256 as a float: its bits moved up until the leading one drops out. */
  uint8_t magnitude = (uint8_t)(difference < 0 ? -difference : difference);
  uint8_t exponent = BIAS + 7;
  for (; !(magnitude & 0x80); magnitude <<= 1) --exponent;
  uint32_t bits = ((uint32_t)exponent << 23) | ((uint32_t)(magnitude & 0x7F) << 16);
  if (difference < 0) bits |= 0x80000000UL;
  float whole;
  memcpy(&whole, &bits, sizeof whole);
  return whole * scale;
}
