/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vboard.h"

bool control_init(struct board *b) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(b->control_path) >= sizeof address.sun_path) {
    fprintf(stderr, "%s: longer than a socket's name may be\n", b->control_path);
    return false;
  }
  strcpy(address.sun_path, b->control_path);
  unlink(b->control_path);
  b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return b->listener >= 0 && bind(b->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
         listen(b->listener, 64) == 0;
}

static void say_stats(const struct board *b, char *out, size_t size) {
  const struct counters *c = &b->count;
  snprintf(out, size,
           "{\"cycles\":%llu,\"received\":%llu,\"sent\":%llu,\"overruns\":%llu,\"baud_errors\":%llu,"
           "\"resets\":%llu,\"watchdog_resets\":%llu,\"crashes\":%llu,\"halted\":%s,\"opens\":%d,"
           "\"baud\":%u,\"host_baud\":%u,\"pc\":%u}\n",
           (unsigned long long)b->avr->cycle, (unsigned long long)c->received, (unsigned long long)c->sent,
           (unsigned long long)c->overruns, (unsigned long long)c->baud_errors, (unsigned long long)c->resets,
           (unsigned long long)c->watchdog_resets, (unsigned long long)c->crashes,
           b->halted ? "true" : "false", b->opens, uart_baud(b), port_host_baud(b), (unsigned)b->avr->pc);
}

static void obey(struct board *b, const char *line, char *out, size_t size) {
  unsigned address, bit;
  snprintf(out, size, "ok\n");
  if (strcmp(line, "reset") == 0) {
    chip_reset(b);
  } else if (strcmp(line, "unplug") == 0) {
    port_unplug(b);
  } else if (strcmp(line, "plug") == 0) {
    chip_reset(b);
    if (!port_plug(b)) snprintf(out, size, "error cannot make a port\n");
  } else if (strcmp(line, "stall") == 0) {
    b->stalled = true;
  } else if (strcmp(line, "resume") == 0) {
    b->stalled = false;
  } else if (strcmp(line, "stats") == 0) {
    say_stats(b, out, size);
  } else if (sscanf(line, "flip %u %u", &address, &bit) == 2 && chip_flip(b, address, bit)) {
    return;
  } else {
    snprintf(out, size, "error unknown command\n");
  }
}

/* A silent client must not shut out the others: with all places taken, the longest-standing one goes. */
static void take_client(struct board *b) {
  const int fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int *place = &b->clients[b->next_client++ % CONTROL_CLIENTS];
  if (*place) close(*place);
  *place = fd;
}

static void serve(struct board *b, int *client) {
  char line[256], out[512];
  const ssize_t n = read(*client, line, sizeof line - 1);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0) {
    line[n] = 0;
    line[strcspn(line, "\n")] = 0;
    obey(b, line, out, sizeof out);
    if (write(*client, out, strlen(out)) > 0) return;
  }
  close(*client);
  *client = 0;
}

void control_poll(struct board *b) {
  take_client(b);
  for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
    if (b->clients[i]) serve(b, &b->clients[i]);
  }
}

void control_close(struct board *b) { unlink(b->control_path); }
