#include "plot_line.h"

#include <math.h>

namespace sinehil {

namespace {

constexpr float kLargest = 32.0f; /* its thousandths fit 16 bits */

/* Integers only: Print::print(double) would cost a seventh of the whole firmware. */
char *put_thousandths(char *to, float value) {
  if (!(value < kLargest)) value = kLargest;
  if (value < -kLargest) value = -kLargest;
  int16_t rest = static_cast<int16_t>(lrintf(value * 1000.0f));
  if (rest < 0) {
    *to++ = '-';
    rest = -rest;
  }
  char digits[5]; /* units first */
  uint8_t count = 0;
  for (; count < 4 || rest != 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) {
    if (count == 3) *to++ = '.';
    *to++ = digits[--count];
  }
  return to;
}

}  // namespace

uint8_t write_plot_line(char *line, float x, float y) {
  char *to = line;
  *to++ = 'x';
  *to++ = ':';
  to = put_thousandths(to, x);
  *to++ = ',';
  *to++ = 'y';
  *to++ = ':';
  to = put_thousandths(to, y);
  *to++ = '\r';
  *to++ = '\n';
  return static_cast<uint8_t>(to - line);
}

}  // namespace sinehil
