#include <string.h>

#include "sinehil_plot_line.h"

namespace sinehil {

namespace {

constexpr uint8_t kPointBits = 27;
constexpr uint8_t kExponentOf16 = 127 + 4;
constexpr uint32_t kHalfThousandth = 67109; /* in 2^-27 */

bool negative(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits >> 31; /* a comparison would bring in the float library's */
}

char *put_thousandths(char *to, float value) {
  uint32_t rest = fixed_magnitude(value);
  rest = rest > UINT32_MAX - kHalfThousandth ? UINT32_MAX : rest + kHalfThousandth;
  if (negative(value) && rest >= 2 * kHalfThousandth) *to++ = '-';
  uint8_t whole = static_cast<uint8_t>(rest >> kPointBits);
  if (rest == UINT32_MAX) {
    whole = 32;
    rest = 0;
  }
  char tens = '0';
  for (; whole >= 10; whole -= 10) ++tens;
  if (tens != '0') *to++ = tens;
  *to++ = static_cast<char>('0' + whole);
  *to++ = '.';
  for (uint8_t digit = 0; digit < 3; ++digit) {
    rest = (rest & ((1UL << kPointBits) - 1)) * 10;
    *to++ = static_cast<char>('0' + (rest >> kPointBits));
  }
  return to;
}

char *put_named(char *to, char name, float value) {
  *to++ = name;
  *to++ = ':';
  return put_thousandths(to, value);
}

}  // namespace

uint32_t fixed_magnitude(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint8_t exponent = static_cast<uint8_t>(bits >> 23);
  if (exponent > kExponentOf16) return UINT32_MAX;
  const uint8_t shift = kExponentOf16 - exponent;
  return shift > 31 ? 0 : ((bits << 8) | 0x80000000UL) >> shift;
}

uint8_t brightness(float y) {
  const uint32_t steps = fixed_magnitude(y) >> (kPointBits - 7); /* 128 at 1 */
  const uint8_t from_middle = steps > 127 ? 127 : static_cast<uint8_t>(steps);
  return negative(y) ? 127 - from_middle : 128 + from_middle;
}

uint8_t write_plot_line(char *line, float x, float y) {
  char *to = put_named(line, 'x', x);
  *to++ = ',';
  to = put_named(to, 'y', y);
  *to++ = '\r';
  *to++ = '\n';
  return static_cast<uint8_t>(to - line);
}

}  // namespace sinehil
