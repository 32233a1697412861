/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "vboard.h"

#define CHUNK 4096u

/* Put the link in place in one step; a file that is no link is somebody else's. */
static bool make_link(const struct board *b) {
  char *beside;
  struct stat there;
  if (lstat(b->link, &there) == 0 && !S_ISLNK(there.st_mode)) {
    errno = EEXIST;
    return false;
  }
  if (asprintf(&beside, "%s.%d.part", b->link, getpid()) < 0) return false;
  unlink(beside);
  const bool made = symlink(b->slave, beside) == 0 && rename(beside, b->link) == 0;
  free(beside);
  return made;
}

static void remove_link(const struct board *b) {
  char target[sizeof b->slave] = "";
  if (readlink(b->link, target, sizeof target - 1) > 0 && strcmp(target, b->slave) == 0) unlink(b->link);
}

static bool make_raw(int slave) {
  struct termios settings;
  if (tcgetattr(slave, &settings) != 0) return false;
  cfmakeraw(&settings);
  cfsetspeed(&settings, B115200);
  return tcsetattr(slave, TCSANOW, &settings) == 0;
}

static bool open_pty(struct board *b) {
  int slave;
  if (openpty(&b->master, &slave, b->slave, NULL, NULL) != 0) return false;
  const bool raw = make_raw(slave);
  close(slave);
  fcntl(b->master, F_SETFL, O_NONBLOCK);
  fcntl(b->master, F_SETFD, FD_CLOEXEC);
  b->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return raw && b->watch >= 0 && inotify_add_watch(b->watch, b->slave, IN_OPEN | IN_CLOSE) >= 0;
}

bool port_plug(struct board *b) {
  if (b->master >= 0) return true;
  b->opens = b->own_opens = b->own_closes = 0;
  if (open_pty(b) && make_link(b)) return true;
  const int why = errno;
  port_unplug(b);
  errno = why;
  return false;
}

void port_unplug(struct board *b) {
  if (b->master < 0) return;
  remove_link(b);
  close(b->master);
  if (b->watch >= 0) close(b->watch);
  b->master = b->watch = -1;
  b->opens = 0;
}

/* A serial port forgets what nobody read when it is closed; a PTY would hand it to the next one who opens.
   Opening the slave ourselves shows up among the events: one open and one close are not a host's. */
static void forget_unread(struct board *b) {
  const int slave = open(b->slave, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (slave < 0) return;
  tcflush(slave, TCIFLUSH);
  close(slave);
  b->own_opens++;
  b->own_closes++;
}

static void on_open(struct board *b) {
  if (b->own_opens > 0) {
    b->own_opens--;
  } else if (b->opens++ == 0) {
    b->count.opened++;
    chip_reset(b);
  }
}

static void on_close(struct board *b) {
  if (b->own_closes > 0) {
    b->own_closes--;
  } else if (b->opens > 0 && --b->opens == 0) {
    ring_clear(&b->to_host);
    forget_unread(b);
    flash_save(b);
  }
}

/* A PTY has no DTR: the first open stands for its edge, which resets an Uno. */
static void take_opens(struct board *b) {
  _Alignas(struct inotify_event) char events[4096];
  ssize_t n;
  while ((n = read(b->watch, events, sizeof events)) > 0) {
    for (char *at = events; at < events + n;) {
      const struct inotify_event *event = (const struct inotify_event *)at;
      if (event->mask & IN_OPEN) on_open(b);
      if (event->mask & IN_CLOSE) on_close(b);
      at += sizeof *event + event->len;
    }
  }
}

/* Looking for opens between reading bytes and delivering them: whoever wrote them has opened before, so the
   reset of that open always comes first. */
static void take_bytes(struct board *b) {
  uint8_t bytes[CHUNK];
  while (ring_free(&b->to_chip) >= CHUNK) {
    const ssize_t n = read(b->master, bytes, CHUNK);
    if (n <= 0) break;
    take_opens(b);
    b->host_baud = baud_of_host(b->master);
    if (b->stalled || b->halted) {
      b->count.lost += (uint64_t)n;
      continue;
    }
    for (ssize_t i = 0; i < n; i++) ring_put(&b->to_chip, bytes[i]);
  }
  uart_feed(b);
}

static void give_bytes(struct board *b) {
  while (ring_used(&b->to_host) > 0) {
    const ssize_t n =
        write(b->master, b->to_host.bytes + b->to_host.tail % RING_BYTES, ring_piece(&b->to_host));
    if (n <= 0) return;
    b->to_host.tail += (uint32_t)n;
  }
}

void port_exchange(struct board *b) {
  if (b->master < 0) return;
  take_opens(b);
  if (b->opens == 0) return;
  take_bytes(b);
  give_bytes(b);
}
