/* Runs a file of tests/vectors through the firmware's protocol code: `vector_runner crc32|frames|streams
 * FILE`. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sinehil_plot_line.h"
#include "sinehil_protocol.h"

namespace {

typedef std::vector<uint8_t> Bytes;
typedef std::vector<std::string> Row;

Bytes wire; /* where put() collects what is sent */

void put(uint8_t byte) { wire.push_back(byte); }

std::string trimmed(const std::string &text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

Row split(const std::string &line, char separator) {
  Row row;
  std::istringstream cells(line);
  for (std::string cell; std::getline(cells, cell, separator);) row.push_back(trimmed(cell));
  return row;
}

Bytes from_hex(const std::string &hex) {
  Bytes bytes;
  if (hex == "-") return bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(strtoul(hex.substr(i, 2).c_str(), nullptr, 16)));
  return bytes;
}

std::string to_hex(const uint8_t *data, size_t length) {
  std::string hex;
  char digits[3];
  for (size_t i = 0; i < length; ++i) {
    snprintf(digits, sizeof digits, "%02X", data[i]);
    hex += digits;
  }
  return hex.empty() ? "-" : hex;
}

uint32_t number(const std::string &hex) { return static_cast<uint32_t>(strtoul(hex.c_str(), nullptr, 16)); }

/* What a decoder makes of a byte stream, in the notation of streams.txt. */
std::string decoded(const Bytes &bytes, std::string *errors) {
  sinehil::Decoder decoder;
  std::string frames;
  for (uint8_t byte : bytes) {
    if (!decoder.feed(byte)) continue;
    const sinehil::Header header = decoder.header();
    char text[32];
    snprintf(text, sizeof text, "%02X:%02X:%08lX:", header.type, header.seq,
             static_cast<unsigned long>(header.session));
    frames += (frames.empty() ? "" : ",") + (text + to_hex(decoder.payload(), decoder.payload_length()));
  }
  *errors = std::to_string(decoder.crc_errors()) + "|" + std::to_string(decoder.framing_errors());
  return frames.empty() ? "-" : frames;
}

bool crc32_holds(const Row &row) {
  const Bytes data = from_hex(row.at(0));
  return sinehil::crc32(data.data(), static_cast<sinehil::Length>(data.size()), 0) == number(row.at(1));
}

sinehil::Header header_of(const Row &row) {
  sinehil::Header header;
  header.type = static_cast<uint8_t>(number(row.at(0)));
  header.seq = static_cast<uint8_t>(number(row.at(1)));
  header.session = number(row.at(2));
  return header;
}

/* A sealed frame as it stands on the wire. */
Bytes sealed(const sinehil::Header &header, const Bytes &payload, uint32_t before) {
  sinehil::Reply reply;
  if (!payload.empty()) memcpy(reply.payload(), payload.data(), payload.size());
  reply.seal(header, static_cast<sinehil::Length>(payload.size()), before);
  wire.clear();
  reply.send(put);
  return wire;
}

bool reply_holds(const Row &row) {
  sinehil::Header header = header_of(row);
  sinehil::Decoder decoder;
  for (uint8_t byte : sealed(header, from_hex(row.at(3)), 0)) decoder.feed(byte);
  header.type |= sinehil::kReply;
  return sealed(header, from_hex(row.at(4)), decoder.crc()) == from_hex(row.at(5));
}

bool frame_holds(const Row &row) {
  const Bytes payload = from_hex(row.at(3));
  sealed(header_of(row), payload, 0);
  std::string errors;
  const std::string expected =
      row.at(0) + ":" + row.at(1) + ":" + row.at(2) + ":" + to_hex(payload.data(), payload.size());
  return wire == from_hex(row.at(4)) && decoded(wire, &errors) == expected && errors == "0|0";
}

bool stream_holds(const Row &row) {
  std::string errors;
  return decoded(from_hex(row.at(1)), &errors) == row.at(2) && errors == row.at(3) + "|" + row.at(4);
}

bool plot_line_holds(const Row &row) {
  char line[sinehil::kPlotLineBytes];
  const uint8_t length =
      sinehil::write_plot_line(line, strtof(row.at(0).c_str(), nullptr), strtof(row.at(1).c_str(), nullptr));
  return std::string(line, length) == row.at(2) + "\r\n";
}

bool brightness_holds(const Row &row) {
  return sinehil::brightness(strtof(row.at(0).c_str(), nullptr)) == atoi(row.at(1).c_str());
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const std::map<std::string, bool (*)(const Row &)> kinds = {
      {"crc32", crc32_holds},    {"replies", reply_holds},        {"frames", frame_holds},
      {"streams", stream_holds}, {"plot_lines", plot_line_holds}, {"brightness", brightness_holds}};
  bool (*const holds)(const Row &) = kinds.at(argv[1]);
  std::ifstream file(argv[2]);
  int rows = 0, failed = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++rows;
    if (holds(split(line, '|'))) continue;
    ++failed;
    printf("fails: %s\n", line.c_str());
  }
  printf("%d vectors, %d failed\n", rows, failed);
  return rows == 0 || failed != 0;
}
