/* The wire of hil/PROTOCOL.md a second time, written from its text and sharing no code with the firmware:
 * whole chunks at a time instead of byte by byte, and zlib's CRC. What the fuzzer holds the firmware against.
 */
#ifndef SINEHIL_FUZZ_REFERENCE_H
#define SINEHIL_FUZZ_REFERENCE_H

#include <zlib.h>

#include <cstdint>
#include <vector>

namespace reference {

typedef std::vector<uint8_t> Bytes;

const size_t kHeader = 6, kCrc = 4;

struct Frame {
  uint8_t type, seq;
  uint32_t session;
  Bytes payload;
  uint32_t crc; /* as it came, or 0 */
};

inline uint32_t number(const uint8_t *from) {
  return from[0] | from[1] << 8 | from[2] << 16 | static_cast<uint32_t>(from[3]) << 24;
}

inline void put_number(Bytes *to, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) to->push_back(static_cast<uint8_t>(value >> shift));
}

/* The checksum of a frame's bytes before it. */
inline uint32_t checksum(const Bytes &body) {
  return static_cast<uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size())));
}

/* The checksum that a reply must have: it goes on from that of what it answers, but for IDENTIFY's. */
inline uint32_t reply_checksum(const Bytes &body, const Frame &request) {
  const uint32_t before = request.type == 1 ? 0 : request.crc;
  return static_cast<uint32_t>(crc32(before, body.data(), static_cast<uInt>(body.size())));
}

/* COBS, by its paper. False for what no encoder makes. */
inline bool unstuff(const Bytes &chunk, Bytes *out) {
  for (size_t at = 0; at < chunk.size();) {
    const size_t code = chunk[at];
    if (code == 0 || at + code > chunk.size()) return false;
    out->insert(out->end(), chunk.begin() + static_cast<long>(at) + 1,
                chunk.begin() + static_cast<long>(at + code));
    at += code;
    if (code != 255 && at < chunk.size()) out->push_back(0);
  }
  return true;
}

inline Bytes stuffed(const Bytes &frame) {
  Bytes out(1, 0);
  size_t code_at = 1;
  out.push_back(1);
  for (size_t i = 0; i < frame.size(); ++i) {
    if (frame[i] != 0) {
      out.push_back(frame[i]);
      ++out[code_at];
    }
    if (frame[i] == 0 || (out[code_at] == 255 && i + 1 < frame.size())) {
      code_at = out.size();
      out.push_back(1);
    }
  }
  out.push_back(0);
  return out;
}

enum Verdict { kNothing, kDamaged, kBadCrc, kWhole };

/* What a chunk between two zero bytes is. `most` is the longest frame that the reader takes. */
inline Verdict read(const Bytes &chunk, size_t most, Bytes *body, Frame *frame) {
  if (chunk.empty()) return kNothing;
  if (!unstuff(chunk, body) || body->size() < kHeader + kCrc || body->size() > most) return kDamaged;
  frame->crc = number(&(*body)[body->size() - kCrc]);
  body->resize(body->size() - kCrc);
  frame->type = (*body)[0];
  frame->seq = (*body)[1];
  frame->session = number(&(*body)[2]);
  frame->payload.assign(body->begin() + kHeader, body->end());
  return checksum(*body) == frame->crc ? kWhole : kBadCrc;
}

inline Bytes encoded(const Frame &frame) {
  Bytes body;
  body.push_back(frame.type);
  body.push_back(frame.seq);
  put_number(&body, frame.session);
  body.insert(body.end(), frame.payload.begin(), frame.payload.end());
  put_number(&body, checksum(body));
  return stuffed(body);
}

}  // namespace reference

#endif
