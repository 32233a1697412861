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
  if (length >= (int)sizeof address->sun_path) errno = ENAMETOOLONG;
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
  return listen(b->listener, MAX_CLIENTS) == 0 ? CONTROL_OK : CONTROL_FAILED;
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

/* Obey every whole line; true while the client takes the answers. */
static bool obey_lines(struct board *b, struct client *c) {
  char answer[ANSWER_BYTES], *end;
  while ((end = memchr(c->line, '\n', c->used))) {
    *end = 0;
    command_obey(b, c->line, answer, sizeof answer);
    const size_t length = strlen(answer);
    if (send(c->fd, answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length) return false;
    c->used -= (size_t)(end + 1 - c->line);
    memmove(c->line, end + 1, c->used);
  }
  return true;
}

void control_serve(struct board *b, struct client *c) {
  const ssize_t n = read(c->fd, c->line + c->used, sizeof c->line - c->used);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) c->used += (size_t)n;
  if (n <= 0 || !obey_lines(b, c) || c->used == sizeof c->line) hang_up(c);
}
