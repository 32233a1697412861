/* As much of an Arduino core as the sketch uses, for a simulated STM32F405: a stand-in, ours alone. */
#ifndef CORTEX_M_ARDUINO_H
#define CORTEX_M_ARDUINO_H

#include <stdint.h>

#define F_CPU 168000000UL
#define LED_BUILTIN 13
#define OUTPUT 1
#define LOW 0
#define HIGH 1

#ifdef __cplusplus
extern "C" {
#endif

uint32_t millis(void);
uint32_t micros(void);
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t level);

#ifdef __cplusplus
}

struct SerialPort {
  void begin(uint32_t baud);
  int read();
  int availableForWrite();
  void write(uint8_t byte);
};
extern SerialPort Serial;

void setup();
void loop();
#endif

#endif
