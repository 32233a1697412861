/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include "vboard.h"

static const struct {
  speed_t code;
  uint32_t baud;
} speeds[] = {{B1200, 1200},     {B2400, 2400},     {B4800, 4800},     {B9600, 9600},
              {B19200, 19200},   {B38400, 38400},   {B57600, 57600},   {B115200, 115200},
              {B230400, 230400}, {B460800, 460800}, {B500000, 500000}, {B1000000, 1000000}};

uint32_t port_host_baud(const struct board *b) {
  struct termios settings;
  if (b->master < 0 || tcgetattr(b->master, &settings) != 0) return 0;
  for (unsigned i = 0; i < sizeof speeds / sizeof *speeds; i++) {
    if (cfgetospeed(&settings) == speeds[i].code) return speeds[i].baud;
  }
  return 0;
}

static bool make_link(const struct board *b) {
  char beside[4096];
  if (snprintf(beside, sizeof beside, "%s.part", b->link) >= (int)sizeof beside) return false;
  unlink(beside);
  return symlink(b->slave, beside) == 0 && rename(beside, b->link) == 0;
}

bool port_plug(struct board *b) {
  struct termios settings;
  int slave;
  if (b->master >= 0) return true;
  if (openpty(&b->master, &slave, b->slave, NULL, NULL) != 0) return false;
  tcgetattr(slave, &settings);
  cfmakeraw(&settings);
  cfsetspeed(&settings, B115200);
  tcsetattr(slave, TCSANOW, &settings);
  close(slave);
  fcntl(b->master, F_SETFL, O_NONBLOCK);
  fcntl(b->master, F_SETFD, FD_CLOEXEC);
  b->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  b->opens = 0;
  return inotify_add_watch(b->watch, b->slave, IN_OPEN | IN_CLOSE) >= 0 && make_link(b);
}

void port_unplug(struct board *b) {
  if (b->master < 0) return;
  unlink(b->link);
  close(b->master);
  close(b->watch);
  b->master = b->watch = -1;
  b->opens = 0;
}

/* A PTY has no DTR: the first open stands for its edge, which resets an Uno. */
static void take_opens(struct board *b) {
  _Alignas(struct inotify_event) char events[4096];
  ssize_t n;
  while (b->watch >= 0 && (n = read(b->watch, events, sizeof events)) > 0) {
    for (char *at = events; at < events + n;) {
      const struct inotify_event *event = (const struct inotify_event *)at;
      if ((event->mask & IN_OPEN) && b->opens++ == 0) chip_reset(b);
      if ((event->mask & IN_CLOSE) && b->opens > 0 && --b->opens == 0) chip_save_flash(b);
      at += sizeof *event + event->len;
    }
  }
}

static void take_bytes(struct board *b) {
  uint8_t bytes[4096];
  while (ring_free(&b->to_chip) >= sizeof bytes) {
    const ssize_t n = read(b->master, bytes, sizeof bytes);
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++) ring_put(&b->to_chip, bytes[i]);
    b->host_cycle = b->avr->cycle;
  }
  uart_kick(b);
}

static void give_bytes(struct board *b) {
  while (ring_used(&b->to_host) > 0) {
    const uint32_t at = b->to_host.tail % RING_BYTES;
    uint32_t length = ring_used(&b->to_host);
    if (at + length > RING_BYTES) length = RING_BYTES - at;
    const ssize_t n = write(b->master, b->to_host.bytes + at, length);
    if (n <= 0) return;
    b->to_host.tail += (uint32_t)n;
  }
}

void port_poll(struct board *b) {
  take_opens(b);
  if (b->master < 0) return;
  if (b->opens == 0) {
    ring_clear(&b->to_host); /* nobody listens */
    return;
  }
  take_bytes(b);
  give_bytes(b);
}
