/* The firmware as a library of this machine: any number of boards, bytes in and replies out, no line between.
 */
#include <new>

#include "sinehil_board.h"
#include "sinehil_commands.h"

namespace {

struct Board {
  sinehil::Commands commands;
  uint32_t uptime_us; /* it has no clock, and stands still at what its reset says */
};

uint32_t uptime_us; /* of the board that is at work */
uint8_t *next_byte;

void put(uint8_t byte) { *next_byte++ = byte; }

}  // namespace

namespace sinehil {

const char kBoardName[kBoardNameBytes] = "native";

uint32_t board_clock_hz() { return 1000000; }
uint32_t board_uptime_ms() { return 0; }
uint32_t board_uptime_us() { return uptime_us; }

uint16_t board_free_ram_bytes() { return 0; }
uint16_t board_least_free_ram_bytes() { return 0; }
void board_alive() {}
LineErrors board_line_errors() { return LineErrors(); }
uint32_t board_measure_cycles(Inference inference, const int8_t *x_q, int8_t *y_q) {
  inference(x_q, y_q);
  return 0; /* it has no cycle counter */
}

}  // namespace sinehil

extern "C" {

uint32_t native_board_bytes(void) { return sizeof(Board); }

/* The longest reply on the wire: zeros around it, a code byte for every block. */
uint32_t native_reply_bytes(void) { return sinehil::kMaxReplyFrame + 2 + sinehil::kMaxReplyFrame / 254 + 1; }

/* Power up, or reset, the board that lives in the memory at ``board``. */
void native_reset(void *board, uint32_t board_uptime_us) { new (board) Board{{}, board_uptime_us}; }

/* Take bytes until one of them brings a reply, which is written to ``reply``. Returns how many were taken. */
uint32_t native_feed(void *board, const uint8_t *data, uint32_t count, uint8_t *reply,
                     uint32_t *reply_bytes) {
  sinehil::Commands *commands = &static_cast<Board *>(board)->commands;
  uptime_us = static_cast<Board *>(board)->uptime_us;
  next_byte = reply;
  uint32_t taken = 0;
  while (taken < count)
    if (commands->feed(data[taken++])) {
      commands->reply().send(put);
      break;
    }
  *reply_bytes = static_cast<uint32_t>(next_byte - reply);
  return taken;
}
}
