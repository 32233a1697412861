/* A sketch that tells on the chip it runs on. Commands are bytes below 0x20, so that Optiboot, which listens
 * after a reset, does not take them for its own. Without the Arduino core: every cycle here is ours. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/wdt.h>
#include <util/delay.h>

#define BURST 200
#define KNOWN_CYCLES 10000
#define SUMMED 8000

static volatile uint16_t overflows;
static uint16_t waited __attribute__((section(".noinit"))); /* a reset leaves RAM alone */

ISR(TIMER1_OVF_vect) { overflows++; }

static uint8_t get(void) {
  while (!(UCSR0A & _BV(RXC0))) {
  }
  return UDR0;
}

static void put(uint8_t byte) {
  while (!(UCSR0A & _BV(UDRE0))) {
  }
  UDR0 = byte;
}

static void put16(uint16_t value) {
  put(value & 0xFF);
  put(value >> 8);
}

static void start_timer(uint8_t prescaler) {
  TCCR1B = 0;
  TCNT1 = 0;
  TIFR1 = _BV(TOV1);
  overflows = 0;
  TCCR1B = prescaler;
}

/* Send BURST bytes back to back, then how long that took in units of 8 cycles. */
static void burst(void) {
  while (!(UCSR0A & _BV(UDRE0))) {
  }
  start_timer(_BV(CS11)); /* 16 MHz / 8 */
  for (uint8_t i = 0; i < BURST; i++) put(0x55);
  while (!(UCSR0A & _BV(UDRE0))) {
  }
  put16(TCNT1);
}

static void known_cycles(void) {
  start_timer(_BV(CS10));
  const uint16_t a = TCNT1;
  const uint16_t b = TCNT1;
  __builtin_avr_delay_cycles(KNOWN_CYCLES);
  const uint16_t c = TCNT1;
  put16((c - b) - (b - a));
}

static void timer(void) {
  cli();
  const uint16_t low = TCNT1;
  uint16_t high = overflows;
  if ((TIFR1 & _BV(TOV1)) && low < 0x8000) high++;
  sei();
  put16(low);
  put16(high);
}

/* Write down how long we live, in units of 64 cycles; about the largest 16-bit number if too long for it. */
static void wait_for_watchdog(void) {
  start_timer(_BV(CS11) | _BV(CS10));
  for (;;) waited = overflows ? 0xFFFF : TCNT1;
}

static void flash_byte(void) {
  const uint8_t low = get();
  put(pgm_read_byte((uint16_t)get() << 8 | low));
}

static void sum(void) {
  uint16_t total = 0;
  for (uint16_t i = 0; i < SUMMED; i++) total += get();
  put16(total);
}

int main(void) {
  wdt_disable();
  UCSR0A = _BV(U2X0);
  UBRR0 = 16; /* 115200, in truth 117647 */
  UCSR0B = _BV(RXEN0) | _BV(TXEN0);
  TIMSK1 = _BV(TOIE1);
  sei();
  for (;;) {
    const uint8_t command = get();
    if (command >= 0x80) put(command);
    if (command == 0x01) put16(0x10 | TAG << 8);
    if (command == 0x02) burst();
    if (command == 0x04) flash_byte();
    if (command == 0x05) known_cycles();
    if (command == 0x06) _delay_ms(20); /* deaf meanwhile */
    if (command == 0x07) start_timer(_BV(CS10));
    if (command == 0x08) timer();
    if (command == 0x09) wdt_enable(WDTO_1S);
    if (command == 0x03 || command == 0x09) {
      wdt_enable(WDTO_15MS);
      wait_for_watchdog();
    }
    if (command == 0x0A) put16(waited);
    if (command == 0x0B) sum();
  }
}
