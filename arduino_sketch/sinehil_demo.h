/* What the board does until a host speaks: the book's sketch, a sine on the LED and on the Serial Plotter. */
#ifndef SINEHIL_DEMO_H
#define SINEHIL_DEMO_H

namespace sinehil {

void demo_setup();

/* Do a little and return at once, so that a host is answered without delay. */
void demo_step();

}  // namespace sinehil

#endif
