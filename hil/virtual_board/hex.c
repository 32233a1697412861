/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intel HEX. simavr 1.6's own reader refuses record types 03 and 05, which linkers write. */
#include <stdio.h>
#include <string.h>

#include "vboard.h"

struct record {
  unsigned length, address, type;
  uint8_t data[256];
};

static bool parse(const char *line, struct record *r) {
  unsigned sum = 0, byte;
  if (sscanf(line, ":%2x%4x%2x", &r->length, &r->address, &r->type) != 3) return false;
  if (strlen(line) < 11 + 2 * (size_t)r->length) return false;
  for (unsigned i = 0; i < r->length + 5; i++) {
    if (sscanf(line + 1 + 2 * i, "%2x", &byte) != 1) return false;
    if (i >= 4 && i < 4 + r->length) r->data[i - 4] = (uint8_t)byte;
    sum += byte;
  }
  return (sum & 0xFF) == 0;
}

int64_t hex_load(const char *path, uint8_t *flash, uint32_t size) {
  char line[600];
  struct record r;
  uint32_t base = 0;
  int64_t lowest = -1;
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    return -1;
  }
  while (fgets(line, sizeof line, file) && line[0] != '\n') {
    if (!parse(line, &r)) {
      fprintf(stderr, "%s: not Intel HEX: %.20s\n", path, line);
      lowest = -1;
      break;
    }
    if (r.type == 2 && r.length == 2) base = (uint32_t)(r.data[0] << 8 | r.data[1]) << 4;
    if (r.type == 4 && r.length == 2) base = (uint32_t)(r.data[0] << 8 | r.data[1]) << 16;
    const uint64_t start = (uint64_t)base + r.address;
    if (r.type != 0) continue; /* 01 the end, 03 and 05 where to start */
    if (start + r.length > size) {
      fprintf(stderr, "%s: does not fit: %.20s\n", path, line);
      lowest = -1;
      break;
    }
    memcpy(flash + start, r.data, r.length);
    if (lowest < 0 || (int64_t)start < lowest) lowest = (int64_t)start;
  }
  fclose(file);
  return lowest;
}
