"""Generate every engine of a comparison as sources for the sketch: ours, emlearn's and TFLite-style C.

TFLite-style C is the net in the manner of TensorFlow Lite's reference kernels, what one would write by hand: 32-bit
products with the zero point added to every input, and a 64-bit fixed-point requantisation of each neuron in the two
roundings of gemmlowp. It is a peer to measure against, not a kernel that anybody should use.
"""

from sinehil.errors import UsageError
from sinehil.model.arithmetic import arithmetic_of, multipliers
from sinehil.model.arithmetic.gemmlowp import quantize_multiplier
from sinehil.model.tflite import FullyConnected, QuantizedModel
from sinehil_audit.engines.emlearn_float import emlearn_files, emlearn_infer
from sinehil_audit.engines.engine_figures import Engine
from sinehil_kernels import proven_kernel
from sinehil_kernels.c_parts import checksum, float_ends, head
from sinehil_kernels.generated import C_FILE

INFER = """
/* (a * b * 2 + 2^31) >> 32, saturated: gemmlowp's SaturatingRoundingDoublingHighMul. */
static int32_t doubling_high_mul(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  const int64_t product = (int64_t)a * b;
  const int32_t nudge = product >= 0 ? 1L << 30 : 1 - (1L << 30);
  return (int32_t)((product + nudge) / (1LL << 31));
}

/* Division by a power of two, half away from zero: gemmlowp's RoundingDivideByPOT. */
static int32_t rounding_divide(int32_t x, uint8_t exponent) {
  const int32_t mask = (int32_t)((1L << exponent) - 1), remainder = x & mask;
  const int32_t threshold = (mask >> 1) + (x < 0);
  return (x >> exponent) + (remainder > threshold);
}

static int32_t requantize(int32_t x, int32_t multiplier, int8_t shift) {
  const uint8_t left = shift > 0 ? (uint8_t)shift : 0, right = shift > 0 ? 0 : (uint8_t)-shift;
  return rounding_divide(doubling_high_mul(x * (1L << left), multiplier), right);
}

struct layer {
  const int8_t *weights;
  const int32_t *bias, *multiplier;
  const int8_t *shift;
  int32_t input_offset, output_offset;
  int8_t lowest, highest;
  uint8_t inputs, outputs;
};

static void fully_connected(const struct layer *layer, const int8_t *in, int8_t *out) {
  for (uint8_t j = 0; j < layer->outputs; ++j) {
    int32_t sum = 0;
    for (uint8_t i = 0; i < layer->inputs; ++i) {
      const int32_t weight = (int8_t)pgm_read_byte(&layer->weights[j * layer->inputs + i]);
      sum += weight * (in[i] + layer->input_offset);
    }
    sum += (int32_t)pgm_read_dword(&layer->bias[j]);
    sum = requantize(sum, (int32_t)pgm_read_dword(&layer->multiplier[j]),
                     (int8_t)pgm_read_byte(&layer->shift[j]));
    sum += layer->output_offset;
    if (sum < layer->lowest) sum = layer->lowest;
    if (sum > layer->highest) sum = layer->highest;
    out[j] = (int8_t)sum;
  }
}
"""


def tflite_style(model: QuantizedModel) -> str:
    """Return the C text of ``sinehil_infer`` and its constants."""
    layers, rules = model.dense_layers, arithmetic_of("tflm")
    width = max(max(layer.weights.shape) for layer in layers)
    tables = "".join(
        _tables(number, layer, rules.code_limits(layer)) for number, layer in enumerate(layers, 1)
    )
    calls, source = [], "x_q"
    for number in range(1, len(layers) + 1):
        target = "y_q" if number == len(layers) else "ab"[number % 2]
        calls.append(f"  fully_connected(&layer_{number}, {source}, {target});")
        source = target
    body = "\n".join(calls)
    infer = f"\nvoid sinehil_infer(const int8_t *x_q, int8_t *y_q) {{\n  int8_t a[{width}], b[{width}];\n{body}\n}}\n"
    return INFER + tables + infer


def _tables(number: int, layer: FullyConnected, limits: tuple[int, int]) -> str:
    pairs = [quantize_multiplier(factor) for factor in multipliers(layer).tolist()]
    arrays: dict[str, tuple[str, list[int]]] = {
        "weights": ("int8_t", layer.weights.ravel().tolist()),
        "bias": ("int32_t", layer.bias.tolist()),
        "multiplier": ("int32_t", [multiplier for multiplier, _ in pairs]),
        "shift": ("int8_t", [shift for _, shift in pairs]),
    }
    name = f"layer_{number}"
    tables = "".join(
        f"static const {kind} {name}_{part}[] PROGMEM = {{{', '.join(map(str, values))}}};\n"
        for part, (kind, values) in arrays.items()
    )
    outputs, inputs = layer.weights.shape
    numbers = (-layer.input.zero_point, layer.output.zero_point, *limits, inputs, outputs)
    fields = [*(f"{name}_{part}" for part in arrays), *map(str, numbers)]
    return f"\n{tables}static const struct layer {name} = {{{', '.join(fields)}}};\n"


NOTHING = """
void sinehil_infer(const int8_t *x_q, int8_t *y_q) { y_q[0] = x_q[0]; }
"""
OURS = ("table", "speed", "size", "portable")


def our_engines(model: QuantizedModel, oracle: str) -> list[Engine]:
    """Return the kernels of ours that the model can have, the fastest first."""
    return [Engine(kind, f"sinehil {kind}", proven_kernel(model, oracle, kind).sources) for kind in OURS]


def peer_engines(model: QuantizedModel) -> list[Engine]:
    """Return the same net made in other ways; UsageError if emlearn is not installed or cannot make it."""
    if len(model.dense_layers) < len(model.layers):
        raise UsageError("the peers have no TANH and LOGISTIC tables", "compare a model without them")
    return [
        Engine("tflite-style", "TFLite-style C", {C_FILE: _file(model, "tflite-c", tflite_style(model))}),
        Engine(
            "emlearn",
            "emlearn, float",
            {C_FILE: _file(model, "emlearn", emlearn_infer(model)), **emlearn_files(model)},
        ),
    ]


def nothing(model: QuantizedModel) -> Engine:
    """Return an engine that computes nothing: what it takes is the firmware around every other."""
    return Engine("nothing", "nothing", {C_FILE: _file(model, "nothing", NOTHING)})


def _file(model: QuantizedModel, engine: str, infer: str) -> str:
    """Return a whole engine with the float ends that all share; its checksum covers the identity only."""
    return head(model, "none", engine) + infer + float_ends(model, "litert") + checksum([])
