/* The firmware's decoder and command handler under libFuzzer, each byte held against reference.h.
 *
 * An input is a script, so that the fuzzer gets past the checksum without having to guess it: see Script.
 * Whatever the bytes are: a reply comes exactly when they end a whole frame with a right checksum, and it is
 * the one reply that hil/PROTOCOL.md gives to this request in this session.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "reference.h"
#include "sinehil_commands.h"
#include "sinehil_engine.h"

using reference::Bytes;
using reference::Frame;

namespace {

const size_t kIdentifyBytes = 108, kBenchBytes = 13, kStatsBytes = 23, kMostBenched = 64;
const uint32_t kUptimeUs = 0x01000000; /* native_device.cpp */
const size_t kInputs = SINEHIL_INPUTS, kOutputs = SINEHIL_OUTPUTS;
const size_t kMostRequest = kInputs * 4 > 50 ? kInputs * 4 : 50;
const size_t kMostReply = kOutputs * 4 > 112 ? kOutputs * 4 : 112;

void demand(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "BROKEN: %s\n", what);
  abort();
}

/* What a host and the line know: sessions, and how much was sent. */
struct Truth {
  uint32_t session, previous, life, frames, crc_errors, damaged;
  Truth() : session(0), previous(0), life(0), frames(0), crc_errors(0), damaged(0) {}
};

/* The bytes on the wire, made of steps: a byte that says which, then what it takes.
 *   0 to 63     so many bytes as they are
 *   64 to 159   a right frame: type, seq, session, length, payload of that length
 *   160 to 191  the same, one of its bits flipped: at, bit
 *   192 to 223  the same, cut off: how many bytes are missing
 *   224 to 255  the same, sent twice
 * The session byte is 0 for the board's, 1 for the one before, 2 for none, else a number made of it. A length
 * is as it comes, and from 250 on as many bytes more as it takes to pass every limit.
 */
class Script {
 public:
  Script(const uint8_t *data, size_t size) : data_(data), left_(size) {}
  bool done() const { return left_ == 0; }

  Bytes step(const Truth &truth) {
    const uint8_t kind = byte();
    if (kind < 64) return bytes(kind);
    Bytes wire = reference::encoded(frame(truth));
    if (kind >= 224) {
      const Bytes once = wire;
      wire.insert(wire.end(), once.begin(), once.end());
    } else if (kind >= 192) {
      const size_t missing = byte();
      wire.resize(missing < wire.size() ? wire.size() - missing : 0);
    } else if (kind >= 160) {
      const size_t at = (byte() | byte() << 8) % wire.size();
      wire[at] = static_cast<uint8_t>(wire[at] ^ 1 << (byte() & 7));
    }
    return wire;
  }

 private:
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  Bytes bytes(size_t count) {
    Bytes found;
    for (; count > 0 && left_ > 0; --count) found.push_back(byte());
    return found;
  }

  Frame frame(const Truth &truth) {
    Frame made;
    made.type = byte();
    made.seq = byte();
    const uint8_t session = byte();
    made.session = session == 0   ? truth.session
                   : session == 1 ? truth.previous
                   : session == 2 ? 0
                                  : session * 0x01020301u;
    const size_t length = byte();
    made.payload = bytes(length);
    made.payload.resize(length < 250 ? length : length + (length - 250) * 3);
    made.crc = 0;
    return made;
  }

  const uint8_t *data_;
  size_t left_;
};

int error_of(uint8_t code) { return -static_cast<int>(code); }

/* Whole samples whose outputs fit a reply, by the sentence in PROTOCOL.md; 0 for a bad length. */
size_t samples(size_t bytes, size_t value_bytes) {
  const size_t count = bytes / (kInputs * value_bytes);
  const bool right = bytes % (kInputs * value_bytes) == 0 && count * kOutputs * value_bytes <= kMostReply;
  return right ? count : 0;
}

/* The length of the right reply to a request, or a negative error code. */
int expected_length(const Frame &request, const Truth &truth) {
  const size_t bytes = request.payload.size();
  if (request.type != 1 && request.session != truth.session) return error_of(3);
  const int bad_length = error_of(2);
  switch (request.type) {
    case 1:
      return bytes == 0 ? kIdentifyBytes : bad_length;
    case 2:
      return bytes <= kMostReply ? static_cast<int>(bytes) : bad_length;
    case 3:
    case 4: {
      const size_t value_bytes = request.type == 3 ? 4 : 1, count = samples(bytes, value_bytes);
      return count != 0 ? static_cast<int>(count * kOutputs * value_bytes) : bad_length;
    }
    case 5:
      if (kInputs != 1) return error_of(1);
      return bytes == 2 && request.payload[1] >= 1 && request.payload[1] <= kMostBenched ? kBenchBytes
                                                                                         : bad_length;
    case 6:
      return bytes == 0 ? kStatsBytes : bad_length;
    case 7:
      if (kInputs == 1) return error_of(1);
      return samples(bytes, 1) != 0 ? kBenchBytes : bad_length;
    default:
      return error_of(1);
  }
}

void check_codes(const Frame &request, const Bytes &payload) {
  for (size_t sample = 0; sample < request.payload.size() / kInputs; ++sample) {
    int8_t y_q[kOutputs];
    sinehil_infer(reinterpret_cast<const int8_t *>(&request.payload[sample * kInputs]), y_q);
    demand(memcmp(y_q, &payload[sample * kOutputs], kOutputs) == 0, "codes of another sample");
  }
}

void check_floats(const Frame &request, const Bytes &payload) {
  for (size_t sample = 0; sample < request.payload.size() / (kInputs * 4); ++sample) {
    int8_t x_q[kInputs], y_q[kOutputs];
    for (size_t i = 0; i < kInputs; ++i) {
      float x;
      memcpy(&x, &request.payload[(sample * kInputs + i) * 4], 4);
      x_q[i] = sinehil_quantize_input(x);
    }
    sinehil_infer(x_q, y_q);
    for (size_t i = 0; i < kOutputs; ++i) {
      const float y = sinehil_dequantize_output(y_q[i]);
      demand(memcmp(&y, &payload[(sample * kOutputs + i) * 4], 4) == 0, "floats of another sample");
    }
  }
}

void check_payload(const Frame &request, const Bytes &payload, const Truth &truth) {
  if (request.type == 1) {
    demand(payload[0] == 2 && payload[1] == (kMostRequest & 0xFF), "IDENTIFY's limits");
    demand(reference::number(&payload[8]) == truth.life, "IDENTIFY's life");
    demand(reference::number(&payload[12]) == sinehil_weights_crc32(), "IDENTIFY's weights");
    demand(payload[106] == kInputs && payload[107] == kOutputs, "IDENTIFY's shape");
  } else if (request.type == 2) {
    demand(payload == request.payload, "ECHO gives other bytes");
  } else if (request.type == 3) {
    check_floats(request, payload);
  } else if (request.type == 4) {
    check_codes(request, payload);
  } else if (request.type == 6) {
    demand(reference::number(&payload[0]) == truth.frames, "STATS counts frames");
    demand(reference::number(&payload[4]) == truth.crc_errors, "STATS counts checksums");
    demand(reference::number(&payload[8]) == truth.damaged, "STATS counts damage");
  }
}

/* What the board sends must be the right reply to `request`, byte by byte as far as a host can know. */
void check_reply(const Bytes &wire, const Frame &request, const Truth &truth) {
  demand(wire.size() > 2 && wire.front() == 0 && wire.back() == 0, "delimiters around a reply");
  const Bytes chunk(wire.begin() + 1, wire.end() - 1);
  for (size_t i = 0; i < chunk.size(); ++i) demand(chunk[i] != 0, "a zero inside a reply");
  Bytes body;
  Frame reply;
  const reference::Verdict verdict =
      reference::read(chunk, reference::kHeader + kMostReply + reference::kCrc, &body, &reply);
  demand(verdict == reference::kWhole || verdict == reference::kBadCrc, "a reply's form or length");
  demand(reply.seq == request.seq && reply.session == truth.session, "a reply's seq or session");
  const int length = expected_length(request, truth);
  if (length < 0) {
    demand(verdict == reference::kWhole && reply.type == 0xFF && reply.payload.size() == 2,
           "an error's form");
    demand(reply.payload[0] == -length && reply.payload[1] == request.type, "the wrong error");
    return;
  }
  demand(reply.crc == reference::reply_checksum(body, request), "a reply's checksum");
  demand(reply.type == (request.type | 0x80), "a reply of another type");
  demand(reply.payload.size() == static_cast<size_t>(length), "a reply's length");
  check_payload(request, reply.payload, truth);
}

Bytes sent;
void put(uint8_t byte) { sent.push_back(byte); }

/* Whether the chunk that has just ended must be answered; the truth moves on with it. */
bool ends_request(const Bytes &chunk, Frame *request, Truth *truth) {
  Bytes body;
  switch (reference::read(chunk, reference::kHeader + kMostRequest + reference::kCrc, &body, request)) {
    case reference::kNothing:
      return false;
    case reference::kDamaged:
      ++truth->damaged;
      return false;
    case reference::kBadCrc:
      ++truth->crc_errors;
      return false;
    case reference::kWhole:
      break;
  }
  ++truth->frames;
  if (request->type == 1) {
    if (truth->session == 0) truth->life = request->session ^ kUptimeUs;
    truth->previous = truth->session;
    truth->session = request->session;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sinehil::Commands commands;
  Truth truth;
  Bytes chunk;
  for (Script script(data, size); !script.done();) {
    const Bytes wire = script.step(truth);
    for (size_t i = 0; i < wire.size(); ++i) {
      const bool answers = commands.feed(wire[i]);
      Frame request;
      bool expected = false;
      if (wire[i] != 0) {
        chunk.push_back(wire[i]);
      } else {
        expected = ends_request(chunk, &request, &truth);
        chunk.clear();
      }
      demand(!answers || expected, "a reply to what is no right frame");
      demand(answers || !expected, "no reply to a right frame");
      if (!answers) continue;
      demand(commands.host_seen(), "a host that was answered is seen");
      sent.clear();
      commands.reply().send(put);
      check_reply(sent, request, truth);
    }
  }
  return 0;
}
