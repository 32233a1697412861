/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Apart from port.c: the kernel's termios2, which knows any speed, cannot be had beside the C library's. */
#include <asm/termbits.h>
#include <sys/ioctl.h>

unsigned baud_of_host(int master);

unsigned baud_of_host(int master) {
  struct termios2 settings;
  return ioctl(master, TCGETS2, &settings) == 0 ? settings.c_ospeed : 0;
}
