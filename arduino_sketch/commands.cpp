#include "commands.h"

#include "board.h"
#include "engine.h"

#define SINEHIL_FIRMWARE_VERSION "0.1.0"

namespace sinehil {

namespace {

constexpr uint8_t kMaxBenchCount = 64;
constexpr uint8_t kIdentityOffset = 40;
constexpr char kFirmware[12] PROGMEM = SINEHIL_FIRMWARE_VERSION;

static_assert(sizeof(sinehil_model_identity) == 68, "sent as it lies in flash");
static_assert(kIdentityOffset + sizeof(sinehil_model_identity) <= kMaxReplyPayload, "IDENTIFY fits a reply");
static_assert(sizeof(float) == 4, "float32 on the wire");

uint8_t model_inputs() { return pgm_read_byte(&sinehil_model_identity.inputs); }
uint8_t model_outputs() { return pgm_read_byte(&sinehil_model_identity.outputs); }

/* How many samples of the model a request of so many bytes brings; 0 if it is no whole number or too much. */
uint8_t samples(uint8_t request_bytes, uint8_t value_bytes) {
  const uint16_t input_bytes = static_cast<uint16_t>(model_inputs()) * value_bytes;
  if (input_bytes == 0 || request_bytes % input_bytes != 0) return 0;
  const uint8_t count = static_cast<uint8_t>(request_bytes / input_bytes);
  const uint32_t reply_bytes = static_cast<uint32_t>(count) * model_outputs() * value_bytes;
  return reply_bytes > kMaxReplyPayload ? 0 : count;
}

}  // namespace

bool Commands::feed(uint8_t byte) {
  if (!decoder_.feed(byte)) return false;
  ++requests_;
  Header header = decoder_.header();
  if (header.type == kIdentify) {
    previous_session_ = session_;
    session_ = header.session;
  }
  const int16_t length = header.session == session_ ? answer(header.type) : -kBadSession;
  if (length < 0) {
    reply_.payload()[0] = static_cast<uint8_t>(-length);
    reply_.payload()[1] = header.type;
    header.type = kError;
  } else {
    header.type |= kReply;
  }
  header.session = session_;
  reply_.seal(header, length < 0 ? 2 : static_cast<uint8_t>(length));
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
    case kBench:
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
  out[1] = kMaxRequestPayload;
  out[2] = kWindowBytes;
  out[3] = 0;
  store_u32(out + 4, board_clock_hz());
  store_u32(out + 8, previous_session_);
  store_u32(out + 12, sinehil_weights_crc32());
  memcpy_P(out + 16, kFirmware, sizeof(kFirmware));
  memcpy_P(out + 28, kBoardName, kBoardNameBytes);
  memcpy_P(out + kIdentityOffset, &sinehil_model_identity, sizeof(sinehil_model_identity));
  return kIdentityOffset + sizeof(sinehil_model_identity);
}

int16_t Commands::echo() {
  memcpy(reply_.payload(), decoder_.payload(), decoder_.payload_length());
  return decoder_.payload_length();
}

int16_t Commands::infer_f32() {
  const uint8_t count = samples(decoder_.payload_length(), sizeof(float));
  if (count == 0) return -kBadLength;
  const uint8_t inputs = model_inputs(), outputs = model_outputs();
  int8_t x_q[kMaxRequestPayload / sizeof(float)], y_q[kMaxReplyPayload / sizeof(float)];
  const uint8_t *in = decoder_.payload();
  uint8_t *out = reply_.payload();
  for (uint8_t sample = 0; sample < count; ++sample) {
    for (uint8_t i = 0; i < inputs; ++i, in += sizeof(float)) {
      float x;
      memcpy(&x, in, sizeof x);
      x_q[i] = sinehil_quantize_input(x);
    }
    sinehil_infer(x_q, y_q);
    for (uint8_t i = 0; i < outputs; ++i, out += sizeof(float)) {
      const float y = sinehil_dequantize_output(y_q[i]);
      memcpy(out, &y, sizeof y);
    }
  }
  return static_cast<int16_t>(out - reply_.payload());
}

int16_t Commands::infer_i8() {
  const uint8_t count = samples(decoder_.payload_length(), sizeof(int8_t));
  if (count == 0) return -kBadLength;
  const int8_t *in = reinterpret_cast<const int8_t *>(decoder_.payload());
  int8_t *out = reinterpret_cast<int8_t *>(reply_.payload());
  for (uint8_t sample = 0; sample < count; ++sample) {
    sinehil_infer(in, out);
    in += model_inputs();
    out += model_outputs();
  }
  return static_cast<int16_t>(reinterpret_cast<uint8_t *>(out) - reply_.payload());
}

int16_t Commands::bench() {
  const uint8_t *request = decoder_.payload();
  if (decoder_.payload_length() != 2 || request[1] == 0 || request[1] > kMaxBenchCount) return -kBadLength;
  /* A sample must fit the arrays below, just as one must fit a frame to be asked for. */
  if (model_inputs() > kMaxRequestPayload || model_outputs() > kMaxReplyPayload) return -kBadLength;
  uint32_t sum = 0, most = 0, least = UINT32_MAX;
  int8_t x_q[kMaxRequestPayload], y_q[kMaxReplyPayload];
  for (uint8_t i = 0; i < request[1]; ++i) {
    memset(x_q, static_cast<uint8_t>(request[0] + i), sizeof x_q);
    const uint32_t cycles = board_measure_cycles(sinehil_infer, x_q, y_q);
    sum += cycles;
    if (cycles > most) most = cycles;
    if (cycles < least) least = cycles;
  }
  uint8_t *out = reply_.payload();
  out[0] = most == 0 ? 0 : request[1];
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
  const uint16_t free_ram = board_free_ram_bytes();
  out[16] = static_cast<uint8_t>(free_ram);
  out[17] = static_cast<uint8_t>(free_ram >> 8);
  return 18;
}

}  // namespace sinehil
