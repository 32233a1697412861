#include "sinehil_crc32.h"
#include "sinehil_protocol.h"

namespace sinehil {

namespace {

/* Whether a run without a zero fills a COBS block and so stands for itself only. */
bool fills_block(uint16_t run) { return kMaxReplyFrame >= kCobsBlock && run == kCobsBlock; }

}  // namespace

bool Decoder::feed(uint8_t byte) {
  if (byte == 0) return finish();
  if (left_ == 0) {
    if (code_ != 0 && code_ != 0xFF) append(0); /* the zero that the last block stood for */
    code_ = byte;
    left_ = byte - 1;
  } else {
    append(byte);
    --left_;
  }
  return false;
}

void Decoder::append(uint8_t byte) {
  if (length_ == kMaxRequestFrame) {
    overlong_ = true;
  } else {
    frame_[length_++] = byte;
  }
}

bool Decoder::finish() {
  const bool empty = code_ == 0;
  const bool whole = left_ == 0 && !overlong_ && length_ >= kHeaderBytes + kCrcBytes;
  frame_length_ = length_;
  restart();
  if (empty) return false;
  if (!whole) {
    ++framing_errors_;
    return false;
  }
  const Length body = frame_length_ - kCrcBytes;
  if (crc32(frame_, body, 0) != load_u32(frame_ + body)) {
    ++crc_errors_;
    return false;
  }
  return true;
}

void Decoder::restart() {
  length_ = 0;
  code_ = 0;
  left_ = 0;
  overlong_ = false;
}

Header Decoder::header() const {
  Header header;
  header.type = frame_[0];
  header.seq = frame_[1];
  header.session = load_u32(frame_ + 2);
  return header;
}

void Reply::seal(const Header &header, Length payload_length, uint32_t before) {
  frame_[0] = header.type;
  frame_[1] = header.seq;
  store_u32(frame_ + 2, header.session);
  length_ = kHeaderBytes + payload_length;
  store_u32(frame_ + length_, crc32(frame_, length_, before));
  length_ += kCrcBytes;
}

void Reply::send(void (*put)(uint8_t byte)) const {
  put(0);
  for (Length start = 0; start <= length_;) {
    Length end = start;
    while (end < length_ && frame_[end] != 0 && !fills_block(end - start)) ++end;
    const bool full = fills_block(end - start);
    put(static_cast<uint8_t>(end - start + 1));
    for (; start < end; ++start) put(frame_[start]);
    if (!full) {
      ++start; /* the zero itself is what the next code byte stands for */
    } else if (end == length_) {
      break;
    }
  }
  put(0);
}

uint32_t crc32(const uint8_t *data, Length length, uint32_t before) {
  uint32_t crc = ~before;
  while (length--) crc = sinehil_crc32_update(crc, *data++);
  return ~crc;
}

void store_u32(uint8_t *to, uint32_t value) {
  for (uint8_t i = 0; i < 4; ++i, value >>= 8) to[i] = static_cast<uint8_t>(value);
}

uint32_t load_u32(const uint8_t *from) {
  uint32_t value = 0;
  for (uint8_t i = 4; i-- > 0;) value = (value << 8) | from[i];
  return value;
}

}  // namespace sinehil
