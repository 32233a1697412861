/* Start-up, clock and serial line of QEMU's netduinoplus2, an STM32F405 whose clocks and pins need no set-up.
 *
 * As on most Arm cores, SysTick's interrupt makes millis(), and the UART's fills a ring. QEMU's line knows no
 * baud rate: it is as fast as it is read, and waits. Its loader writes .data and clears .bss.
 */
#include <Arduino.h>
#include <string.h>

namespace {

volatile uint32_t &at(uint32_t address) { return *reinterpret_cast<volatile uint32_t *>(address); }

/* USART1 (ST's RM0090, 30.6) */
constexpr uint32_t kUartStatus = 0x40011000, kUartData = 0x40011004, kUartControl = 0x4001100C;
constexpr uint32_t kTransmitterEmpty = 1 << 7;
constexpr uint32_t kBothOnAndInterruptOnReceived = 1 << 13 | 1 << 5 | 1 << 3 | 1 << 2;
constexpr uint8_t kUartInterrupt = 37;

/* Armv7-M (DDI 0403, B3.2 to B3.4) */
constexpr uint32_t kSystickControl = 0xE000E010, kSystickReload = 0xE000E014, kSystickCurrent = 0xE000E018;
constexpr uint32_t kSystickOnWithInterrupt = 7;
constexpr uint32_t kEnableInterrupts = 0xE000E100, kDisableInterrupts = 0xE000E180;
constexpr uint32_t kBank = kUartInterrupt / 32 * 4, kBit = 1UL << kUartInterrupt % 32;
constexpr uint32_t kConfiguration = 0xE000ED14, kTrapUnaligned = 1 << 3;
constexpr uint32_t kCoprocessors = 0xE000ED88, kFpuOn = 0xFUL << 20;

constexpr uint32_t kCyclesPerMs = F_CPU / 1000;
volatile uint32_t milliseconds;

volatile uint8_t ring[64], head, tail; /* one is always free */

uint8_t after(uint8_t index) { return static_cast<uint8_t>((index + 1) % sizeof(ring)); }

}  // namespace

SerialPort Serial;

void SerialPort::begin(uint32_t) {
  at(kUartControl) = kBothOnAndInterruptOnReceived;
  at(kEnableInterrupts + kBank) = kBit;
}

int SerialPort::read() {
  if (head == tail) {
    __asm__ volatile("wfi"); /* until the next tick at the latest, or QEMU would keep a processor busy */
    return -1;
  }
  const uint8_t byte = ring[tail];
  tail = after(tail);
  at(kEnableInterrupts + kBank) = kBit; /* the ring has room again */
  return byte;
}

int SerialPort::availableForWrite() { return at(kUartStatus) & kTransmitterEmpty ? 1 : 0; }

void SerialPort::write(uint8_t byte) {
  while (!availableForWrite()) {
  }
  at(kUartData) = byte;
}

extern "C" {

uint32_t millis(void) { return milliseconds; }

uint32_t micros(void) {
  uint32_t ms, left;
  do { /* until no tick has come between the readings */
    ms = milliseconds;
    left = at(kSystickCurrent);
  } while (ms != milliseconds);
  return ms * 1000 + (kCyclesPerMs - 1 - left) / (F_CPU / 1000000);
}

void pinMode(uint8_t, uint8_t) {}
void digitalWrite(uint8_t, uint8_t) {} /* nobody sees the LED */

void *memcpy(void *to, const void *from, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<uint8_t *>(to)[i] = static_cast<const uint8_t *>(from)[i];
  return to;
}

void *memset(void *to, int byte, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<uint8_t *>(to)[i] = static_cast<uint8_t>(byte);
  return to;
}

void on_systick(void) { milliseconds = milliseconds + 1; }

void on_uart(void) {
  if (after(head) == tail) {
    at(kDisableInterrupts + kBank) = kBit;
    return;
  }
  ring[head] = static_cast<uint8_t>(at(kUartData));
  head = after(head);
}

void on_fault(void) {
  while (true) {
  }
}

void on_reset(void) {
#ifdef __ARM_ARCH_6M__
  at(kConfiguration) |= kTrapUnaligned; /* as that architecture does */
#endif
#ifdef __ARM_FP
  at(kCoprocessors) = kFpuOn;
  __asm__ volatile("dsb\n\tisb");
#endif
  at(kSystickReload) = kCyclesPerMs - 1;
  at(kSystickCurrent) = 0;
  at(kSystickControl) = kSystickOnWithInterrupt;
  setup();
  while (true) loop();
}

extern uint8_t stack_top[];

typedef void (*Handler)(void);

__attribute__((used, section(".vectors"))) const struct {
  uint8_t *stack;
  Handler reset, faults[13], systick, others[kUartInterrupt], uart;
} vectors = {stack_top,  on_reset, {on_fault, on_fault, on_fault, on_fault, on_fault},
             on_systick, {},       on_uart};

}  // extern "C"
