/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vboard.h"

#define ANSWER_BYTES 1024
#define BACKLOG 64

/* A socket's name holds 107 characters; through a descriptor of its folder any path will do. */
static bool control_address(const struct board *b, struct sockaddr_un *address, int *folder) {
  char *for_folder = strdup(b->link), *for_name = strdup(b->link);
  int length = -1;
  *folder = for_folder ? open(dirname(for_folder), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
  address->sun_family = AF_UNIX;
  if (*folder >= 0 && for_name)
    length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s.ctl", *folder,
                      basename(for_name));
  free(for_folder);
  free(for_name);
  if (length >= (int)sizeof address->sun_path)
    fprintf(stderr, "%s: longer than a socket's name may be\n", b->link);
  return length > 0 && length < (int)sizeof address->sun_path;
}

static bool somebody_answers(const struct sockaddr_un *address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* A full queue (EAGAIN) is also somebody's. */
  const bool answers =
      probe >= 0 &&
      (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
  if (probe >= 0) close(probe);
  return answers;
}

static enum control bind_at(struct board *b, const struct sockaddr_un *address) {
  const struct sockaddr *name = (const struct sockaddr *)address;
  b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (b->listener < 0) return CONTROL_FAILED;
  if (bind(b->listener, name, sizeof *address) != 0) {
    if (errno != EADDRINUSE) return CONTROL_FAILED;
    if (somebody_answers(address)) return CONTROL_TAKEN;
    unlink(address->sun_path); /* left by a board that was killed */
    if (bind(b->listener, name, sizeof *address) != 0) return CONTROL_FAILED;
  }
  return listen(b->listener, BACKLOG) == 0 ? CONTROL_OK : CONTROL_FAILED;
}

enum control control_open(struct board *b) {
  struct sockaddr_un address = {0};
  enum control result = CONTROL_FAILED;
  int folder;
  if (control_address(b, &address, &folder)) result = bind_at(b, &address);
  const int why = errno;
  if (folder >= 0) close(folder);
  if (result != CONTROL_OK && b->listener >= 0) {
    close(b->listener);
    b->listener = -1;
  }
  errno = why;
  return result;
}

void control_close(struct board *b) {
  char *path;
  if (b->listener < 0 || asprintf(&path, "%s.ctl", b->link) < 0) return;
  unlink(path);
  free(path);
  close(b->listener);
  b->listener = -1;
}

static void hang_up(struct client *c) {
  close(c->fd);
  c->fd = -1;
  c->used = 0;
  c->skipping = false;
}

/* When all places are taken, the one after the last newcomer's has to go: idle clients keep nobody out. */
void control_accept(struct board *b) {
  static unsigned next;
  const int fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  struct client *c = &b->clients[next++ % MAX_CLIENTS];
  if (c->fd >= 0) hang_up(c);
  c->fd = fd;
}

static bool say(const struct client *c, const char *answer) {
  const size_t length = strlen(answer);
  return send(c->fd, answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

/* Take the next whole line; false if there is none. `line` must hold LINE_BYTES. */
static bool next_line(struct client *c, char *line) {
  const char *end = memchr(c->line, '\n', c->used);
  if (!end) return false;
  const size_t length = (size_t)(end - c->line);
  memcpy(line, c->line, length);
  line[length] = 0;
  c->used -= length + 1;
  memmove(c->line, end + 1, c->used);
  return true;
}

/* Obey every whole line; false if the client does not take the answers. */
static bool obey_lines(struct board *b, struct client *c) {
  char line[LINE_BYTES], answer[ANSWER_BYTES];
  while (next_line(c, line)) {
    if (!c->skipping) {
      command_obey(b, line, answer, sizeof answer);
      if (!say(c, answer)) return false;
    }
    c->skipping = false;
  }
  if (c->used < sizeof c->line) return true;
  c->used = 0;
  if (c->skipping) return true;
  c->skipping = true;
  return say(c, "error line too long\n");
}

void control_serve(struct board *b, struct client *c) {
  const ssize_t n = read(c->fd, c->line + c->used, sizeof c->line - c->used);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) c->used += (size_t)n;
  if (n <= 0 || !obey_lines(b, c)) hang_up(c);
}
