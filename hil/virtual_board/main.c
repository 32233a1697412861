/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "vboard.h"

#define SLICE_CYCLES 4000u /* a quarter of a millisecond between looks at the host */
#define HOST_BUSY_CYCLES \
  (CPU_HZ / 20) /* run ahead this long after a byte from the host: it waits for an answer */
#define CHIP_BUSY_CYCLES SLICE_CYCLES

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

/* Simulated time and real time, held against each other from a common start. */
struct pace {
  struct timespec start;
  uint64_t start_cycle;
};

static void pace_restart(struct pace *p, const struct board *b) {
  clock_gettime(CLOCK_MONOTONIC, &p->start);
  p->start_cycle = b->avr->cycle;
}

/* Seconds that the simulation is ahead of the clock. */
static double pace_lead(const struct pace *p, const struct board *b) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double real =
      (double)(now.tv_sec - p->start.tv_sec) + (double)(now.tv_nsec - p->start.tv_nsec) * 1e-9;
  return (double)(b->avr->cycle - p->start_cycle) / CPU_HZ - real;
}

static bool line_busy(const struct board *b) {
  const uint64_t now = b->avr->cycle;
  return ring_used(&b->to_chip) > 0 || (b->host_cycle && now - b->host_cycle < HOST_BUSY_CYCLES) ||
         (b->chip_cycle && now - b->chip_cycle < CHIP_BUSY_CYCLES);
}

/* Wait up to `seconds`, less if a host or a test wants something. Returns false when our parent has gone. */
static bool wait_for_host(const struct board *b, double seconds, bool watch_stdin) {
  struct pollfd fds[4 + CONTROL_CLIENTS] = {
      {watch_stdin ? STDIN_FILENO : -1, POLLIN, 0},
      {b->watch, POLLIN, 0},
      {b->opens > 0 ? b->master : -1, POLLIN, 0}, /* with nobody on it a PTY hangs up without end */
      {b->listener, POLLIN, 0}};
  for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
    fds[4 + i] = (struct pollfd){b->clients[i] ? b->clients[i] : -1, POLLIN, 0};
  const struct timespec timeout = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  ppoll(fds, sizeof fds / sizeof *fds, &timeout, NULL);
  return !(fds[0].revents & (POLLIN | POLLHUP));
}

static void run(struct board *b, bool watch_stdin) {
  struct pace pace;
  bool parent = true;
  pace_restart(&pace, b);
  while (!stopping && parent) {
    if (!b->stalled) chip_run(b, SLICE_CYCLES);
    port_poll(b);
    control_poll(b);
    if (b->stalled || b->halted) {
      parent = wait_for_host(b, 0.05, watch_stdin);
      pace_restart(&pace, b);
    } else if (line_busy(b)) {
      parent = wait_for_host(b, 0, watch_stdin);
      pace_restart(&pace, b);
    } else {
      const double lead = pace_lead(&pace, b);
      if (lead > 0.0005) parent = wait_for_host(b, lead, watch_stdin);
      if (lead < -0.5) pace_restart(&pace, b); /* the machine was too busy: do not try to catch up */
    }
  }
}

static int usage(void) {
  fprintf(stderr,
          "usage: sinehil-vboard --bootloader HEX --link PATH [--flash FILE] [--until-stdin-closes]\n");
  return 2;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"bootloader", required_argument, 0, 'b'},
                                          {"link", required_argument, 0, 'l'},
                                          {"flash", required_argument, 0, 'f'},
                                          {"until-stdin-closes", no_argument, 0, 's'},
                                          {0, 0, 0, 0}};
  static struct board board = {.master = -1, .watch = -1, .listener = -1};
  const char *bootloader = NULL;
  static char control[4096];
  bool watch_stdin = false;
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'b')
      bootloader = optarg;
    else if (option == 'l')
      board.link = optarg;
    else if (option == 'f')
      board.flash_path = optarg;
    else if (option == 's')
      watch_stdin = true;
    else
      return usage();
  }
  if (!bootloader || !board.link || optind != argc) return usage();
  snprintf(control, sizeof control, "%s.ctl", board.link);
  board.control_path = control;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  if (!chip_init(&board, bootloader)) return 1;
  chip_reset(&board);
  if (!control_init(&board) || !port_plug(&board)) {
    perror(board.link);
    return 1;
  }
  printf("{\"port\":\"ready\",\"pty\":\"%s\"}\n", board.slave);
  fflush(stdout);
  run(&board, watch_stdin);
  port_unplug(&board);
  control_close(&board);
  return chip_save_flash(&board) ? 0 : 1;
}
