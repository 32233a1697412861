/* A line that the Arduino Serial Plotter draws, such as "x:1.234,y:-0.943\r\n". */
#ifndef SINEHIL_PLOT_LINE_H
#define SINEHIL_PLOT_LINE_H

#include <stdint.h>

namespace sinehil {

constexpr uint8_t kPlotLineBytes = sizeof("x:-32.000,y:-32.000\r\n") - 1;

/* The magnitude in steps of 2^-27; all ones from 32 on and for NaN. Integers only: the float library's
 * additions and conversions would take more flash than all of the demo. */
uint32_t fixed_magnitude(float value);

/* The LED's brightness for y: 0 at -1, 255 at 1. */
uint8_t brightness(float y);

/* Write the line, not terminated, and return its length. Values are rounded to thousandths and end at +-32.
 */
uint8_t write_plot_line(char *line, float x, float y);

}  // namespace sinehil

#endif
