// The board's end of sinehil: answers hil/PROTOCOL.md; until a host speaks, shows the model's sine.
// sinehil_kernel.c, the model, is generated: `sinehil sketch --out DIR` writes the whole sketch.

#include "commands.h"
#include "demo.h"

static sinehil::Commands commands;

static void put(uint8_t byte) { Serial.write(byte); }

void setup() {
  Serial.begin(115200);
  sinehil::demo_setup();
}

void loop() {
  while (Serial.available() > 0) {
    if (commands.feed(static_cast<uint8_t>(Serial.read()))) commands.reply().send(put);
  }
  if (!commands.host_seen()) sinehil::demo_step();
}
