/* How many values a sample of the model takes and gives: 1 to 64 each. The buffers are sized by it when the
 * sketch is compiled, so that a model with one input pays nothing for the wide ones.
 *
 * This is the shape of a curve. A kernel of another shape comes with a file of this name, which replaces it.
 */
#ifndef SINEHIL_SHAPE_H
#define SINEHIL_SHAPE_H

#ifndef SINEHIL_INPUTS
#define SINEHIL_INPUTS 1
#define SINEHIL_OUTPUTS 1
#endif

#endif
