"""The oracle's own requantisation, computed on the device: exact for every accumulator, small, and slow.

It is for neurons that have no line: the oracle rounds twice, and the threshold of some code lies beside every line.
"""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arithmetic import LITERT, multipliers
from sinehil.model.arithmetic.gemmlowp import multiply_by_quantized_multiplier, quantize_multiplier
from sinehil.model.arrays import Int64s
from sinehil_kernels.value_ranges import LayerRanges

MOST_EXACT_FLOAT = 2**24  # the conversion of a larger sum to float32 may round

LITERT_C = """
/* Where no line is right, as the interpreter does it: clamp(round_half_even((float)sum * factor) + zero_point). */
static int8_t own_code(int32_t sum, uint32_t factor_bits, int8_t shift, int8_t zero_point) {
  float factor;
  (void)shift;
  memcpy(&factor, &factor_bits, sizeof factor);
  return sinehil_code_half_even((float)sum * factor, zero_point);
}
"""
TFLM_C = """
/* Where no line is right, as the interpreter does it: a doubling high product, ties up, then a division by a power of
 * two, ties away from zero. */
static int8_t own_code(int32_t sum, uint32_t multiplier, int8_t shift, int8_t zero_point) {
  const int64_t product = (int64_t)sum * (1L << (shift > 0 ? shift : 0)) * (int32_t)multiplier;
  const int32_t high = (int32_t)((product + (product < 0 ? 1 - (1L << 30) : 1L << 30)) / (1LL << 31));
  const uint8_t right = shift < 0 ? (uint8_t)-shift : 0;
  const int32_t mask = (int32_t)((1UL << right) - 1);
  const int32_t code = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0)) + zero_point;
  return code < -128 ? -128 : code > 127 ? 127 : (int8_t)code;
}
"""
C_TEXTS = {LITERT.name: LITERT_C, "tflm": TFLM_C}


@dataclass(frozen=True)
class OracleForm:
    """``word`` is litert's factor as float32 bits or tflm's multiplier; ``shift`` is tflm's."""

    oracle: str
    word: int
    shift: int
    base: int = 0

    def __call__(self, accumulators: Int64s, zero_point: int) -> Int64s:
        """Return the codes, before the activation's clamps, exactly as the C code computes them."""
        if self.oracle == LITERT.name:
            factor = np.array([self.word], np.uint32).view(np.float32)
            rounded: Int64s = np.rint(accumulators.astype(np.float32) * factor).astype(np.int64)
        else:
            rounded = multiply_by_quantized_multiplier(accumulators, self.word, self.shift)
        return np.clip(rounded + zero_point, -128, 127)


def find_oracle_form(found: LayerRanges, neuron: int, oracle: str) -> OracleForm | None:
    """Return the form of one neuron, right on its whole domain, or None where C has not the oracle's numbers."""
    domain, layer = found.neurons[neuron], found.layer
    if oracle == LITERT.name and max(map(abs, domain.span)) < MOST_EXACT_FLOAT:
        own = OracleForm(oracle, int(LITERT.factors(layer).view(np.uint32)[neuron]), 0)
    elif oracle == "tflm":
        own = OracleForm(oracle, *quantize_multiplier(float(multipliers(layer)[neuron])))
    else:
        return None
    codes = np.clip(own(domain.accumulators, layer.output.zero_point), found.lowest, found.highest)
    return own if own.word and np.array_equal(codes, domain.codes) else None
