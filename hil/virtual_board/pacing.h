/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated time and real time, held against each other from a common start. */
#ifndef PACING_H
#define PACING_H

#include <stdint.h>
#include <time.h>

#define TOO_LATE_NS (-200000000LL) /* the machine was too busy: do not try to catch up */

struct pace {
  struct timespec start;
  uint64_t start_cycle;
};

static inline void pace_restart(struct pace *p, uint64_t cycle) {
  clock_gettime(CLOCK_MONOTONIC, &p->start);
  p->start_cycle = cycle;
}

/* Nanoseconds that the simulation is ahead of the clock. */
static inline int64_t pace_lead_ns(const struct pace *p, uint64_t cycle, uint32_t hz) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t real = (now.tv_sec - p->start.tv_sec) * 1000000000LL + (now.tv_nsec - p->start.tv_nsec);
  return (int64_t)((cycle - p->start_cycle) * 1000u / (hz / 1000000u)) - real;
}

#endif
