/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <simavr/avr_flash.h>
#include <simavr/sim_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vboard.h"

/* SPM follows Z past the end of flash, and ELPM, one flipped bit from LPM, a pointer of 24 bits; simavr 1.6
   checks neither: so give them the room. */
#define REACHABLE_BYTES ((1u << 24) + 512u)

static uint32_t flash_bytes(const struct board *b) { return b->avr->flashend + 1; }
static uint32_t boot_bytes(const struct board *b) { return flash_bytes(b) - b->avr->reset_pc; }

/* An Uno's lock bits keep the bootloader from being overwritten; simavr ignores them. */
static int on_flash(struct avr_io_t *port, uint32_t request, void *argument) {
  const avr_flash_t *flash = (const avr_flash_t *)port;
  avr_t *avr = port->avr;
  struct board *b = avr->custom.data;
  const bool changes = request == AVR_IOCTL_FLASH_SPM && avr_regbit_get(avr, flash->selfprgen) &&
                       (avr_regbit_get(avr, flash->pgers) || avr_regbit_get(avr, flash->pgwrt));
  const int result = b->core_flash(port, request, argument);
  if (changes) {
    memcpy(avr->flash + avr->reset_pc, b->boot_copy, boot_bytes(b));
    b->flash_dirty = true;
    b->count.flash_writes++;
  }
  return result;
}

static bool guard_flash(struct board *b) {
  avr_io_t *port = b->avr->io_port;
  while (port && strcmp(port->kind, "flash") != 0) port = port->next;
  b->boot_copy = malloc(boot_bytes(b));
  if (!port || !b->boot_copy) return false;
  memcpy(b->boot_copy, b->avr->flash + b->avr->reset_pc, boot_bytes(b));
  b->core_flash = port->ioctl;
  port->ioctl = on_flash;
  return true;
}

static bool make_room(struct board *b) {
  const size_t kept = flash_bytes(b) + 2; /* simavr keeps a trap opcode behind the end */
  uint8_t *room = realloc(b->avr->flash, REACHABLE_BYTES);
  if (!room) return false;
  memset(room + kept, 0xFF, REACHABLE_BYTES - kept);
  b->avr->flash = room;
  b->flash_dirty = true; /* a new board's file is to appear, and the bootloader is in it */
  return true;
}

/* A missing image is a new board. */
static bool load_image(struct board *b) {
  FILE *file = b->flash_path ? fopen(b->flash_path, "rb") : NULL;
  if (!file) {
    if (!b->flash_path || errno == ENOENT) return true;
    fprintf(stderr, "%s: %s\n", b->flash_path, strerror(errno));
    return false;
  }
  const bool whole = fread(b->avr->flash, 1, flash_bytes(b), file) == flash_bytes(b) && fgetc(file) == EOF;
  fclose(file);
  if (!whole) fprintf(stderr, "%s: not the flash of this board (%u bytes)\n", b->flash_path, flash_bytes(b));
  return whole;
}

bool flash_init(struct board *b, const char *bootloader) {
  if (!make_room(b) || !load_image(b)) return false;
  const int64_t start = hex_load(bootloader, b->avr->flash, flash_bytes(b));
  if (start < 0) return false;
  b->avr->reset_pc = (uint32_t)start;
  b->avr->codeend = b->avr->flashend;
  return guard_flash(b);
}

bool flash_flip(struct board *b, uint32_t address, unsigned bit) {
  if (address > b->avr->flashend || bit > 7) return false;
  b->avr->flash[address] ^= (uint8_t)(1u << bit);
  if (address >= b->avr->reset_pc) b->boot_copy[address - b->avr->reset_pc] = b->avr->flash[address];
  b->flash_dirty = true;
  return true;
}

static bool write_image(const struct board *b, const char *path) {
  FILE *file = fopen(path, "wb");
  if (!file) return false;
  const bool written = fwrite(b->avr->flash, 1, flash_bytes(b), file) == flash_bytes(b);
  return fclose(file) == 0 && written;
}

bool flash_save(struct board *b) {
  char *beside;
  if (!b->flash_path || !b->flash_dirty) return true;
  if (asprintf(&beside, "%s.%d.part", b->flash_path, getpid()) < 0) return false;
  const bool saved = write_image(b, beside) && rename(beside, b->flash_path) == 0;
  if (!saved) {
    fprintf(stderr, "%s: cannot be saved: %s\n", b->flash_path, strerror(errno));
    unlink(beside);
  }
  free(beside);
  b->flash_dirty = !saved;
  return saved;
}
