/* Requests in, replies out: everything the board does for a host, without knowing how bytes travel. */
#ifndef SINEHIL_COMMANDS_H
#define SINEHIL_COMMANDS_H

#include "sinehil_protocol.h"

namespace sinehil {

class Commands {
 public:
  /* Take one received byte. True when a reply is ready to be sent. */
  bool feed(uint8_t byte);

  const Reply &reply() const { return reply_; }

  /* Whether a host has spoken since the last reset. */
  bool host_seen() const { return requests_ != 0; }

 private:
  int16_t answer(uint8_t type);
  int16_t identify();
  int16_t echo();
  int16_t infer_f32();
  int16_t infer_i8();
  int16_t bench();
  int16_t stats();

  Decoder decoder_;
  Reply reply_;
  uint32_t session_ = 0;
  uint32_t life_ = 0;
  uint32_t requests_ = 0;
};

}  // namespace sinehil

#endif
