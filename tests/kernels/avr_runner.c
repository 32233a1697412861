/* SPDX-License-Identifier: GPL-3.0-or-later
 * (it links libsimavr, which is GPL-3; nothing that is shipped contains it)
 *
 * Runs a flat binary on a simulated ATmega328P: avr_runner FLASH_IMAGE CYCLE_LIMIT
 * What the program writes to GPIOR0 goes to stdout. GPIOR1 = 1 starts a count of cycles, GPIOR1 = 0 ends it
 * and prints it on stderr, a line each. GPIOR2 ends the run. Exit status 3: it did not end within the limit.
 */
#include <simavr/sim_avr.h>
#include <simavr/sim_io.h>
#include <stdio.h>
#include <stdlib.h>

enum { GPIOR0_DATA = 0x3e, GPIOR1_DATA = 0x4a, GPIOR2_DATA = 0x4b };

static avr_cycle_count_t started;
static int ended;

static void put(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *param) {
  (void)avr, (void)address, (void)param;
  putchar(value);
}

static void mark(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *param) {
  (void)address, (void)param;
  if (value) {
    started = avr->cycle;
  } else {
    fprintf(stderr, "%llu\n", (unsigned long long)(avr->cycle - started));
  }
}

static void end(struct avr_t *avr, avr_io_addr_t address, uint8_t value, void *param) {
  (void)avr, (void)address, (void)value, (void)param;
  ended = 1;
}

int main(int count, char **arguments) {
  static uint8_t image[32768];
  FILE *file = count == 3 ? fopen(arguments[1], "rb") : NULL;
  avr_t *avr = avr_make_mcu_by_name("atmega328p");
  if (!file || !avr) return 2;
  const size_t bytes = fread(image, 1, sizeof image, file);
  fclose(file);
  avr_init(avr);
  avr->frequency = 16000000;
  avr_loadcode(avr, image, (uint32_t)bytes, 0);
  avr_register_io_write(avr, GPIOR0_DATA, put, NULL);
  avr_register_io_write(avr, GPIOR1_DATA, mark, NULL);
  avr_register_io_write(avr, GPIOR2_DATA, end, NULL);
  const avr_cycle_count_t limit = strtoull(arguments[2], NULL, 10);
  while (!ended) {
    const int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed || avr->cycle > limit) return 3;
  }
  return 0;
}
