/* The firmware's command handler as a program of this machine: requests on stdin, replies on stdout. */
#include <unistd.h>

#include <cstring>

#include "sinehil_board.h"
#include "sinehil_commands.h"

namespace sinehil {

const char kBoardName[kBoardNameBytes] = "native";

uint32_t board_clock_hz() { return 1000000; }
uint32_t board_uptime_ms() { return 4711; }
uint32_t board_uptime_us() { return 0x01000000; }
uint16_t board_free_ram_bytes() { return 815; }
uint16_t board_least_free_ram_bytes() { return 711; }
void board_alive() {}
LineErrors board_line_errors() { return {12, 34, 56}; }
/* SINEHIL_COUNTER makes it a board with a cycle counter that shows this plus the input's code. */
uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q) {
  inference(x_q, y_q);
#ifdef SINEHIL_COUNTER
  return static_cast<uint32_t>(SINEHIL_COUNTER + x_q[0]);
#else
  return 0;
#endif
}

}  // namespace sinehil

namespace {

sinehil::Commands commands;

void put(uint8_t byte) {
  if (write(STDOUT_FILENO, &byte, 1) != 1) _exit(1);
}

}  // namespace

int main() {
  uint8_t bytes[256];
  for (ssize_t count; (count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
    for (ssize_t i = 0; i < count; ++i)
      if (commands.feed(bytes[i])) commands.reply().send(put);
  return 0;
}
