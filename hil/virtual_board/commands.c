/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vboard.h"

static const char *json_bool(bool value) { return value ? "true" : "false"; }

static void say_stats(const struct board *b, char *out, size_t size) {
  const struct counters *c = &b->count;
  const int n = snprintf(
      out, size,
      "{\"cycles\":%" PRIu64 ",\"received\":%" PRIu64 ",\"received_at\":%" PRIu64 ",\"sent\":%" PRIu64
      ",\"sent_at\":%" PRIu64 ",\"overruns\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unread\":%" PRIu64
      ",\"baud_errors\":%" PRIu64 ",\"opened\":%" PRIu64 ",\"resets\":%" PRIu64
      ",\"watchdog_resets\":%" PRIu64 ",\"crashes\":%" PRIu64 ",\"flash_writes\":%" PRIu64,
      b->avr->cycle, c->received, c->received_at, c->sent, c->sent_at, c->overruns, c->lost, c->unread,
      c->baud_errors, c->opened, c->resets, c->watchdog_resets, c->crashes, c->flash_writes);
  if (n < 0 || (size_t)n >= size) return;
  snprintf(out + n, size - (size_t)n,
           ",\"marks\":%" PRIu64 ",\"mark_span\":%" PRIu64
           ",\"mark_value\":%u,\"opens\":%d,\"baud\":%u,\"host_baud\":%u,\"pc\":%u"
           ",\"halted\":%s,\"stalled\":%s,\"plugged\":%s}\n",
           b->marks.count, b->marks.span, b->marks.value, b->opens, uart_baud(b), b->host_baud,
           (unsigned)b->avr->pc, json_bool(b->halted), json_bool(b->stalled), json_bool(b->master >= 0));
}

static bool plug(struct board *b) {
  if (b->master >= 0) return true;
  if (!port_plug(b)) return false;
  chip_reset(b);
  return true;
}

static bool flip(struct board *b, const char *arguments) {
  uint32_t address;
  unsigned bit;
  char rest;
  return sscanf(arguments, "%5" SCNu32 " %1u%c", &address, &bit, &rest) == 2 && flash_flip(b, address, bit);
}

void command_obey(struct board *b, const char *line, char *answer, size_t size) {
  bool done = true;
  snprintf(answer, size, "ok\n");
  port_note_speed(b);
  if (strcmp(line, "stats") == 0)
    say_stats(b, answer, size);
  else if (strcmp(line, "reset") == 0)
    chip_reset(b);
  else if (strcmp(line, "unplug") == 0)
    port_unplug(b);
  else if (strcmp(line, "plug") == 0)
    done = plug(b);
  else if (strcmp(line, "unplug after upload") == 0)
    port_leave_after_upload(b);
  else if (strncmp(line, "rename ", 7) == 0)
    done = port_rename(b, line + 7);
  else if (strcmp(line, "stall") == 0 || strcmp(line, "resume") == 0)
    b->stalled = line[0] == 's';
  else
    done = strncmp(line, "flip ", 5) == 0 && flip(b, line + 5);
  if (!done) snprintf(answer, size, "error\n");
}
