/* Frames on the wire, see hil/PROTOCOL.md: a decoder fed byte by byte and an encoder. No I/O, no heap. */
#ifndef SINEHIL_PROTOCOL_H
#define SINEHIL_PROTOCOL_H

#include <stdint.h>

#include "sinehil_shape.h"

namespace sinehil {

constexpr uint16_t larger(uint16_t a, uint16_t b) { return a > b ? a : b; }

constexpr uint8_t kProtocolVersion = 2;
constexpr uint8_t kHeaderBytes = 6;
constexpr uint8_t kCrcBytes = 4;
/* 63 bytes on the wire and IDENTIFY's reply, or a sample of float32 if that is more. */
constexpr uint16_t kMaxRequestPayload = larger(50, SINEHIL_INPUTS * 4);
constexpr uint16_t kMaxReplyPayload = larger(112, SINEHIL_OUTPUTS * 4);
constexpr uint8_t kWindowBytes = 63; /* what the receive ring holds */
constexpr uint16_t kMaxRequestFrame = kHeaderBytes + kMaxRequestPayload + kCrcBytes;
constexpr uint16_t kMaxReplyFrame = kHeaderBytes + kMaxReplyPayload + kCrcBytes;
constexpr uint8_t kCobsBlock = 254; /* the longest run without a zero behind one code byte */

static_assert(SINEHIL_INPUTS >= 1 && SINEHIL_INPUTS <= 64, "IDENTIFY has a byte for the largest request");
static_assert(SINEHIL_OUTPUTS >= 1 && SINEHIL_OUTPUTS <= 64, "as many as inputs");

template <bool kWide>
struct LengthOf {
  typedef uint8_t Type;
};
template <>
struct LengthOf<true> {
  typedef uint16_t Type;
};
/* The length of a frame or of a part of it: one byte where that is enough. */
typedef LengthOf<(larger(kMaxRequestFrame, kMaxReplyFrame) >= kCobsBlock)>::Type Length;

enum MessageType : uint8_t {
  kIdentify = 0x01,
  kEcho = 0x02,
  kInferF32 = 0x03,
  kInferI8 = 0x04,
  kBench = 0x05,
  kStats = 0x06,
  kBenchI8 = 0x07,
  kReply = 0x80,
  kError = 0xFF
};

enum ErrorCode : uint8_t { kUnknownType = 1, kBadLength = 2, kBadSession = 3 };

/* `before` is the CRC of what came before data, 0 for nothing. */
uint32_t crc32(const uint8_t *data, Length length, uint32_t before);
void store_u32(uint8_t *to, uint32_t value);
uint32_t load_u32(const uint8_t *from);

struct Header {
  uint8_t type;
  uint8_t seq;
  uint32_t session;
};

/* Turns bytes into frames. What is damaged is dropped and counted; a zero byte always resynchronises. */
class Decoder {
 public:
  /* Take one byte. True when it completes a frame, which stays valid until the next call. */
  bool feed(uint8_t byte);

  Header header() const;
  const uint8_t *payload() const { return frame_ + kHeaderBytes; }
  Length payload_length() const { return frame_length_ - kHeaderBytes - kCrcBytes; }

  uint32_t crc() const { return load_u32(frame_ + frame_length_ - kCrcBytes); }

  uint32_t crc_errors() const { return crc_errors_; }
  uint32_t framing_errors() const { return framing_errors_; }

 private:
  void append(uint8_t byte);
  bool finish();
  void restart();

  uint8_t frame_[kMaxRequestFrame] = {}; /* so that no constructor has to run */
  Length frame_length_ = 0;
  Length length_ = 0;
  uint8_t code_ = 0; /* the current COBS block's; 0 before the first one */
  uint8_t left_ = 0; /* bytes the block still brings */
  bool overlong_ = false;
  uint32_t crc_errors_ = 0;
  uint32_t framing_errors_ = 0;
};

/* A reply under construction: write the payload, then seal it with header and checksum. The checksum goes on
 * from `before`: the request's, which binds the reply to it, or 0 for one that stands for itself. */
class Reply {
 public:
  uint8_t *payload() { return frame_ + kHeaderBytes; }
  void seal(const Header &header, Length payload_length, uint32_t before);

  /* Send the sealed frame, stuffed and delimited, byte by byte. */
  void send(void (*put)(uint8_t byte)) const;

 private:
  uint8_t frame_[kMaxReplyFrame] = {};
  Length length_ = 0;
};

}  // namespace sinehil

#endif
