#include "sinehil_board.h"
#include "sinehil_commands.h"
#include "sinehil_engine.h"

#define SINEHIL_FIRMWARE_VERSION "0.1.0"

namespace sinehil {

namespace {

constexpr bool kOneInput = SINEHIL_INPUTS == 1;
constexpr uint8_t kMaxBenchCount = 64;
constexpr uint8_t kIdentityOffset = 40;
constexpr char kFirmware[12] PROGMEM = SINEHIL_FIRMWARE_VERSION;

static_assert(sizeof(sinehil_model_identity) == 68, "sent as it lies in flash");
static_assert(kIdentityOffset + sizeof(sinehil_model_identity) <= kMaxReplyPayload, "IDENTIFY fits a reply");
static_assert(sizeof(float) == 4, "float32 on the wire");

void store_u16(uint8_t *to, uint16_t value) {
  to[0] = static_cast<uint8_t>(value);
  to[1] = static_cast<uint8_t>(value >> 8);
}

/* How many samples a request brings; 0 if it is no whole number, or their outputs do not fit a reply. */
template <uint8_t kValueBytes>
uint8_t samples(Length request_bytes) {
  constexpr uint16_t kInputBytes = SINEHIL_INPUTS * kValueBytes;
  constexpr uint16_t kMost = kMaxReplyPayload / (SINEHIL_OUTPUTS * kValueBytes);
  if (request_bytes % kInputBytes != 0) return 0;
  const Length count = request_bytes / kInputBytes;
  return count > kMost ? 0 : static_cast<uint8_t>(count);
}

}  // namespace

bool Commands::feed(uint8_t byte) {
  if (!decoder_.feed(byte)) return false;
  ++requests_;
  Header header = decoder_.header();
  if (header.type == kIdentify) {
    /* When a host first speaks after a reset is chance enough to tell this life from all others. */
    if (session_ == 0) life_ = header.session ^ board_uptime_us();
    session_ = header.session;
  }
  const int16_t length = header.session == session_ ? answer(header.type) : -kBadSession;
  const bool alone = length < 0 || header.type == kIdentify;
  if (length < 0) {
    reply_.payload()[0] = static_cast<uint8_t>(-length);
    reply_.payload()[1] = header.type;
    header.type = kError;
  } else {
    header.type |= kReply;
  }
  header.session = session_;
  reply_.seal(header, length < 0 ? 2 : static_cast<Length>(length), alone ? 0 : decoder_.crc());
  return true;
}

/* The reply payload's length, or a negative ErrorCode. */
int16_t Commands::answer(uint8_t type) {
  switch (type) {
    case kIdentify:
      return identify();
    case kEcho:
      return echo();
    case kInferF32:
      return infer_f32();
    case kInferI8:
      return infer_i8();
    case kOneInput ? kBench:
    kBenchI8:
      return bench();
    case kStats:
      return stats();
    default:
      return -kUnknownType;
  }
}

int16_t Commands::identify() {
  if (decoder_.payload_length() != 0) return -kBadLength;
  uint8_t *out = reply_.payload();
  out[0] = kProtocolVersion;
  out[1] = static_cast<uint8_t>(kMaxRequestPayload); /* 0 stands for 256 */
  out[2] = kWindowBytes;
  out[3] = 0;
  store_u32(out + 4, board_clock_hz());
  store_u32(out + 8, life_);
  store_u32(out + 12, sinehil_weights_crc32());
  memcpy_P(out + 16, kFirmware, sizeof(kFirmware));
  memcpy_P(out + 28, kBoardName, kBoardNameBytes);
  memcpy_P(out + kIdentityOffset, &sinehil_model_identity, sizeof(sinehil_model_identity));
  return kIdentityOffset + sizeof(sinehil_model_identity);
}

int16_t Commands::echo() {
  if (kMaxRequestPayload > kMaxReplyPayload && decoder_.payload_length() > kMaxReplyPayload)
    return -kBadLength;
  memcpy(reply_.payload(), decoder_.payload(), decoder_.payload_length());
  return decoder_.payload_length();
}

int16_t Commands::infer_f32() {
  const uint8_t count = samples<sizeof(float)>(decoder_.payload_length());
  if (count == 0) return -kBadLength;
  int8_t x_q[SINEHIL_INPUTS], y_q[SINEHIL_OUTPUTS];
  const uint8_t *in = decoder_.payload();
  uint8_t *out = reply_.payload();
  for (uint8_t sample = 0; sample < count; ++sample) {
    board_alive();
    for (uint8_t i = 0; i < SINEHIL_INPUTS; ++i, in += sizeof(float)) {
      float x;
      memcpy(&x, in, sizeof x);
      x_q[i] = sinehil_quantize_input(x);
    }
    sinehil_infer(x_q, y_q);
    for (uint8_t i = 0; i < SINEHIL_OUTPUTS; ++i, out += sizeof(float)) {
      const float y = sinehil_dequantize_output(y_q[i]);
      memcpy(out, &y, sizeof y);
    }
  }
  return static_cast<int16_t>(out - reply_.payload());
}

int16_t Commands::infer_i8() {
  const uint8_t count = samples<sizeof(int8_t)>(decoder_.payload_length());
  if (count == 0) return -kBadLength;
  const int8_t *in = reinterpret_cast<const int8_t *>(decoder_.payload());
  int8_t *out = reinterpret_cast<int8_t *>(reply_.payload());
  for (uint8_t sample = 0; sample < count; ++sample) {
    board_alive();
    sinehil_infer(in, out);
    in += SINEHIL_INPUTS;
    out += SINEHIL_OUTPUTS;
  }
  return static_cast<int16_t>(reinterpret_cast<uint8_t *>(out) - reply_.payload());
}

/* Cycles of as many samples as asked for: of one input its code alone, counting up; else they are in the
 * request. */
int16_t Commands::bench() {
  const int8_t *in = reinterpret_cast<const int8_t *>(decoder_.payload());
  uint8_t count;
  if (kOneInput) {
    count = static_cast<uint8_t>(in[1]);
    if (decoder_.payload_length() != 2 || count == 0 || count > kMaxBenchCount) return -kBadLength;
  } else {
    count = samples<sizeof(int8_t)>(decoder_.payload_length());
    if (count == 0) return -kBadLength;
  }
  uint32_t sum = 0, most = 0, least = UINT32_MAX;
  int8_t x_q = in[0], y_q[SINEHIL_OUTPUTS];
  for (uint8_t i = 0; i < count; ++i, ++x_q, in += SINEHIL_INPUTS) {
    board_alive();
    const uint32_t cycles = board_measure_cycles(sinehil_infer, kOneInput ? &x_q : in, y_q);
    sum += cycles;
    if (cycles > most) most = cycles;
    if (cycles < least) least = cycles;
  }
  uint8_t *out = reply_.payload();
  out[0] = least == 0 ? 0 : count;
  store_u32(out + 1, sum);
  store_u32(out + 5, most);
  store_u32(out + 9, least);
  return 13;
}

int16_t Commands::stats() {
  if (decoder_.payload_length() != 0) return -kBadLength;
  uint8_t *out = reply_.payload();
  store_u32(out, requests_);
  store_u32(out + 4, decoder_.crc_errors());
  store_u32(out + 8, decoder_.framing_errors());
  store_u32(out + 12, board_uptime_ms());
  store_u16(out + 16, board_free_ram_bytes());
  store_u16(out + 18, board_least_free_ram_bytes());
  const LineErrors line = board_line_errors();
  out[20] = line.ring_overruns;
  out[21] = line.uart_overruns;
  out[22] = line.uart_framing;
  return 23;
}

}  // namespace sinehil
