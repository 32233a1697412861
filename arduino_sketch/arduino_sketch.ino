// The board's end of sinehil: answers hil/PROTOCOL.md; until a host speaks, shows the model's sine.
// sinehil_kernel.c, the model, is generated: `sinehil sketch --out DIR` writes the whole sketch.

#include "sinehil_board.h"
#include "sinehil_commands.h"
#include "sinehil_demo.h"

static sinehil::Commands commands;

void setup() {
  sinehil::board_serial_begin();
  sinehil::demo_setup();
}

void loop() {
  sinehil::board_alive();
  const int16_t byte = sinehil::board_serial_read();
  if (byte >= 0) {
    if (commands.feed(static_cast<uint8_t>(byte))) commands.reply().send(sinehil::board_serial_write);
  } else if (!commands.host_seen()) {
    sinehil::demo_step();
  }
}
