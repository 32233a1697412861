/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
  if (lstat(b->name, &there) == 0 && !S_ISLNK(there.st_mode)) {
    errno = EEXIST;
    return false;
  }
  if (asprintf(&beside, "%s.%d.part", b->name, getpid()) < 0) return false;
  unlink(beside);
  const bool made = symlink(b->slave, beside) == 0 && rename(beside, b->name) == 0;
  free(beside);
  return made;
}

static void remove_link(const struct board *b) {
  char target[sizeof b->slave] = "";
  if (readlink(b->name, target, sizeof target - 1) > 0 && strcmp(target, b->slave) == 0) unlink(b->name);
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

static bool take_name(struct board *b) {
  if (b->next_name) {
    free(b->name);
    b->name = b->next_name;
    b->next_name = NULL;
  }
  return b->name || (b->name = strdup(b->link));
}

bool port_plug(struct board *b) {
  if (b->master >= 0) return true;
  if (take_name(b) && open_pty(b) && make_link(b)) {
    registry_add(b);
    return true;
  }
  const int why = errno;
  port_unplug(b);
  errno = why;
  return false;
}

void port_unplug(struct board *b) {
  if (b->master < 0) return;
  registry_remove(b);
  remove_link(b);
  close(b->master);
  if (b->watch >= 0) close(b->watch);
  b->master = b->watch = -1;
  b->opens = 0;
  b->is_open = false;
}

/* A name that exists is somebody's, be it another board's. */
bool port_rename(struct board *b, const char *name) {
  const char *slash = strrchr(b->link, '/');
  char *path;
  struct stat there;
  if (!*name || strchr(name, '/')) return false;
  if (asprintf(&path, "%.*s%s", slash ? (int)(slash - b->link) + 1 : 0, b->link, name) < 0) return false;
  if (lstat(path, &there) == 0) {
    free(path);
    return false;
  }
  free(b->next_name);
  b->next_name = path;
  return true;
}

void port_leave_after_upload(struct board *b) {
  b->leaves_after_upload = true;
  b->writes_before = b->count.flash_writes;
}

static void leave_if_uploaded(struct board *b) {
  if (!b->leaves_after_upload || b->count.flash_writes == b->writes_before) return;
  b->leaves_after_upload = false;
  port_unplug(b);
}

/* Whether anybody has the slave open. Events alone cannot tell: the kernel merges equal ones in a row. */
static bool is_open(const struct board *b) {
  struct pollfd master = {b->master, 0, 0};
  return poll(&master, 1, 0) >= 0 && !(master.revents & POLLHUP);
}

/* A PTY has no DTR: the first open stands for its edge, which resets an Uno. */
static void on_open(struct board *b) {
  if (b->opens++ > 0) return;
  b->count.opened++;
  chip_reset(b);
}

static void take_opens(struct board *b) {
  _Alignas(struct inotify_event) char events[4096];
  ssize_t n;
  while ((n = read(b->watch, events, sizeof events)) > 0) {
    for (char *at = events; at < events + n;) {
      const struct inotify_event *event = (const struct inotify_event *)at;
      if (event->mask & IN_OPEN) on_open(b);
      if ((event->mask & IN_CLOSE) && b->opens > 0) b->opens--;
      at += sizeof *event + event->len;
    }
  }
}

/* Take what events say, and then what is. The last one to close ends an upload, if it was one. */
static void take_state(struct board *b) {
  const bool was_open = b->is_open;
  take_opens(b);
  b->is_open = is_open(b);
  if (b->is_open) return;
  b->opens = 0;
  ring_clear(&b->to_host);
  if (was_open) {
    flash_save(b);
    leave_if_uploaded(b);
  }
}

void port_note_speed(struct board *b) {
  if (b->master >= 0) b->host_baud = baud_of_host(b->master);
}

/* Looking for opens between reading bytes and delivering them: whoever wrote them has opened before, so the
   reset of that open always comes first. */
static void take_bytes(struct board *b) {
  uint8_t bytes[CHUNK];
  while (ring_free(&b->to_chip) >= CHUNK) {
    const ssize_t n = read(b->master, bytes, CHUNK);
    if (n <= 0) break;
    take_opens(b);
    port_note_speed(b);
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
  take_state(b);
  if (!b->is_open) return;
  take_bytes(b);
  give_bytes(b);
}
