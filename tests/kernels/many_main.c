/* Runs many kernels, each renamed, in one process under sanitizers; see many_nets.py, which writes kernels.h.
 *
 * stdin, for each kernel: uint32 samples, then their codes; uint32 samples, then their float32. stdout, for
 * each: the output codes, the output float32, uint32 checksum. Little-endian. Every buffer is just as large
 * as it must be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sinehil_engine.h"

struct kernel {
  const struct sinehil_model_identity *model;
  void (*infer)(const int8_t *x_q, int8_t *y_q);
  int8_t (*quantize)(float x);
  float (*dequantize)(int8_t y_q);
  uint32_t (*crc)(void);
};

#include "kernels.h"

static void get(void *to, size_t bytes) {
  if (fread(to, 1, bytes, stdin) != bytes) exit(2);
}

static uint32_t count(void) {
  uint32_t value;
  get(&value, sizeof value);
  return value;
}

static void run(const struct kernel *kernel, int of_floats) {
  const uint8_t inputs = kernel->model->inputs, outputs = kernel->model->outputs;
  float *x = malloc(inputs * sizeof *x), *y = malloc(outputs * sizeof *y);
  int8_t *x_q = malloc(inputs), *y_q = malloc(outputs);
  for (uint32_t left = count(); left > 0; --left) {
    if (of_floats) {
      get(x, inputs * sizeof *x);
      for (uint8_t i = 0; i < inputs; ++i) x_q[i] = kernel->quantize(x[i]);
    } else {
      get(x_q, inputs);
    }
    kernel->infer(x_q, y_q);
    for (uint8_t j = 0; j < outputs; ++j) y[j] = kernel->dequantize(y_q[j]);
    if (of_floats) {
      fwrite(y, sizeof *y, outputs, stdout);
    } else {
      fwrite(y_q, 1, outputs, stdout);
    }
  }
  free(x), free(y), free(x_q), free(y_q);
}

int main(void) {
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
    run(&kernels[i], 0);
    run(&kernels[i], 1);
    const uint32_t crc = kernels[i].crc();
    fwrite(&crc, sizeof crc, 1, stdout);
    fflush(stdout); /* so that what a sanitizer stops is known to come after it */
  }
  return 0;
}
