/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pacing.h"
#include "vboard.h"

#define RUSH_CYCLES 4000u  /* a quarter of a simulated millisecond between looks at the host */
#define CALM_CYCLES 32000u /* two milliseconds */
#define FOR_EVER (-1)
enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TAKEN = 3 };
enum { WATCH, MASTER, LISTENER, PARENT, CLIENTS, FDS = CLIENTS + MAX_CLIENTS };

static volatile sig_atomic_t stopping;
static sigset_t while_waiting;

static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

/* Signals are let in only while waiting, so that none is missed between looking and waiting. */
static void take_signals(void) {
  const struct sigaction action = {.sa_handler = on_signal};
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGTERM);
  sigaddset(&ours, SIGINT);
  sigprocmask(SIG_BLOCK, &ours, &while_waiting);
  sigdelset(&while_waiting, SIGTERM);
  sigdelset(&while_waiting, SIGINT);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

static void watch_for(const struct board *b, struct pollfd *fds, bool watch_parent) {
  const short unsent = ring_used(&b->to_host) > 0 ? POLLOUT : 0;
  fds[WATCH] = (struct pollfd){b->watch, POLLIN, 0};
  /* With nobody on it a PTY reports a hang-up without end. */
  fds[MASTER] = (struct pollfd){b->is_open ? b->master : -1, (short)(POLLIN | unsent), 0};
  fds[LISTENER] = (struct pollfd){b->listener, POLLIN, 0};
  fds[PARENT] = (struct pollfd){watch_parent ? STDIN_FILENO : -1, POLLIN, 0};
  for (int i = 0; i < MAX_CLIENTS; i++) fds[CLIENTS + i] = (struct pollfd){b->clients[i].fd, POLLIN, 0};
}

/* Wait for something to do, at most `ns`, and do it. */
static void attend(struct board *b, int64_t ns, bool watch_parent) {
  struct pollfd fds[FDS];
  const struct timespec limit = {ns / 1000000000, ns % 1000000000};
  watch_for(b, fds, watch_parent);
  if (ppoll(fds, FDS, ns == FOR_EVER ? NULL : &limit, &while_waiting) <= 0) return;
  if (fds[WATCH].revents || fds[MASTER].revents) port_exchange(b);
  for (int i = 0; i < MAX_CLIENTS; i++) {
    if (fds[CLIENTS + i].revents && b->clients[i].fd == fds[CLIENTS + i].fd) control_serve(b, &b->clients[i]);
  }
  if (fds[LISTENER].revents) control_accept(b);
  if (fds[PARENT].revents) stopping = 1; /* nothing is ever written there: it was closed */
}

/* How long to wait before the next stretch: for ever while the chip stands, not at all while somebody waits
   for its answer, else until real time has caught up. */
static int64_t time_to_wait(const struct board *b, struct pace *pace) {
  const uint64_t now = b->avr->cycle;
  const bool stands = b->stalled || b->halted;
  const int64_t lead = pace_lead_ns(pace, now, CPU_HZ);
  if (stands || now < b->rush_until || ring_used(&b->to_chip) > 0 || lead < TOO_LATE_NS) {
    pace_restart(pace, now);
    return stands ? FOR_EVER : 0;
  }
  return lead > 0 ? lead : 0;
}

static void run(struct board *b, bool watch_parent) {
  struct pace pace;
  pace_restart(&pace, b->avr->cycle);
  while (!stopping) {
    if (b->is_open) port_note_speed(b);
    const int64_t ns = time_to_wait(b, &pace);
    attend(b, ns, watch_parent);
    if (ns != 0) continue; /* something may have woken us early: no cycle before its time */
    const bool rush = b->avr->cycle < b->rush_until || ring_used(&b->to_chip) > 0;
    chip_run(b, rush ? RUSH_CYCLES : CALM_CYCLES);
    if (ring_used(&b->to_host) > 0) port_exchange(b);
  }
}

static int serve(struct board *b, bool watch_parent) {
  const enum control control = control_open(b);
  if (control == CONTROL_TAKEN) return EXIT_TAKEN;
  if (control != CONTROL_OK || !port_plug(b)) {
    perror(b->link);
    control_close(b);
    return EXIT_FAILED;
  }
  chip_reset(b);
  registry_announce(b);
  run(b, watch_parent);
  port_unplug(b);
  control_close(b);
  return flash_save(b) ? EXIT_SUCCESS : EXIT_FAILED;
}

static int usage(void) {
  fputs(
      "usage: sinehil-vboard --bootloader HEX --link PATH [--flash FILE] [--registry FOLDER] "
      "[--until-stdin-closes]\n",
      stderr);
  return EXIT_USAGE;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"bootloader", required_argument, 0, 'b'},   {"link", required_argument, 0, 'l'},
      {"flash", required_argument, 0, 'f'},        {"registry", required_argument, 0, 'r'},
      {"until-stdin-closes", no_argument, 0, 's'}, {0, 0, 0, 0}};
  static struct board board = {.master = -1, .watch = -1, .listener = -1};
  const char *bootloader = NULL;
  bool watch_parent = false;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == '?') return usage();
    if (option == 'b') bootloader = optarg;
    if (option == 'l') board.link = optarg;
    if (option == 'f') board.flash_path = optarg;
    if (option == 'r' && !(board.registry = registry_entry(optarg))) return EXIT_FAILED;
    if (option == 's') watch_parent = true;
  }
  if (!bootloader || !board.link || optind != argc) return usage();
  for (int i = 0; i < MAX_CLIENTS; i++) board.clients[i].fd = -1;
  take_signals();
  if (!chip_init(&board, bootloader)) return EXIT_FAILED;
  return serve(&board, watch_parent);
}
