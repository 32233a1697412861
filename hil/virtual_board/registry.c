/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vboard.h"

#define USB_IDS "\"vid\":\"0x2341\",\"pid\":\"0x0043\"" /* Arduino SA, Uno R3 */

const char *registry_entry(const char *folder) {
  char *path;
  return asprintf(&path, "%s/%d.json", folder, getpid()) < 0 ? NULL : path;
}

static void put_text(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c < 0x20 || c == '"' || c == '\\')
      fprintf(file, "\\u%04x", c);
    else
      fputc(c, file);
  }
  fputc('"', file);
}

static void put_entry(FILE *file, const struct board *b) {
  fputs("\"port\":", file);
  put_text(file, b->name);
  fprintf(file, "," USB_IDS ",\"serial\":\"virtual-%d\",\"pid_of_process\":%d,\"pty\":\"%s\"}\n", getpid(),
          getpid(), b->slave);
}

/* Written beside and renamed, so that a reader never sees half of it. */
void registry_add(const struct board *b) {
  char *beside;
  if (!b->registry || asprintf(&beside, "%s.part", b->registry) < 0) return;
  FILE *file = fopen(beside, "w");
  if (file) {
    fputc('{', file);
    put_entry(file, b);
  }
  if (!file || fclose(file) != 0 || rename(beside, b->registry) != 0) perror(b->registry);
  free(beside);
}

void registry_remove(const struct board *b) {
  if (b->registry) unlink(b->registry);
}

void registry_announce(const struct board *b) {
  fputs("{\"ready\":true,", stdout);
  put_entry(stdout, b);
  fflush(stdout);
}
