/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes on their way, in a ring whose indices run freely. */
#ifndef RING_H
#define RING_H

#include <stdint.h>

#define RING_BYTES 65536u

struct ring {
  uint8_t bytes[RING_BYTES];
  uint32_t head, tail;
};

static inline uint32_t ring_used(const struct ring *r) { return r->head - r->tail; }
static inline uint32_t ring_free(const struct ring *r) { return RING_BYTES - ring_used(r); }
static inline void ring_put(struct ring *r, uint8_t byte) { r->bytes[r->head++ % RING_BYTES] = byte; }
static inline uint8_t ring_take(struct ring *r) { return r->bytes[r->tail++ % RING_BYTES]; }
static inline void ring_clear(struct ring *r) { r->tail = r->head; }

/* The longest run of bytes that lies in one piece. */
static inline uint32_t ring_piece(const struct ring *r) {
  const uint32_t to_end = RING_BYTES - r->tail % RING_BYTES;
  return ring_used(r) < to_end ? ring_used(r) : to_end;
}

#endif
