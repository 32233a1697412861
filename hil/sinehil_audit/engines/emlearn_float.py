"""Generate the same net with emlearn, in float32, from the dequantised weights."""

import re
from importlib.resources import files

import numpy as np

from sinehil.errors import UsageError
from sinehil.model.tflite import QuantizedModel

NAMES = {"NONE": "identity", "RELU": "relu"}
PREFIX = "peer"
HEADERS = ("eml_net.h", "eml_net_common.h", "eml_common.h", "eml_log.h")
INFER = """
#include "peer.h"

void sinehil_infer(const int8_t *x_q, int8_t *y_q) {{
  float x[{inputs}], y[{outputs}];
  for (uint8_t i = 0; i < {inputs}; ++i) x[i] = (float)((int16_t)x_q[i] - ({input_zero_point})) * {input_scale}f;
  {call}
  for (uint8_t i = 0; i < {outputs}; ++i) {{
    const float code = y[i] / {output_scale}f + {output_zero_point}.0f;
    y_q[i] = (int8_t)lrintf(code < -128.0f ? -128.0f : code > 127.0f ? 127.0f : code);
  }}
}}
"""


def emlearn_infer(model: QuantizedModel) -> str:
    """Return the C text of ``sinehil_infer``, which turns codes into float for emlearn's function and back."""
    call = (
        f"y[0] = {PREFIX}_regress1(x, {model.inputs});"
        if model.outputs == 1
        else f"{PREFIX}_regress(x, {model.inputs}, y, {model.outputs});"
    )
    return INFER.format(
        inputs=model.inputs,
        outputs=model.outputs,
        call=call,
        input_scale=float(model.input.scale).hex(),
        output_scale=float(model.output.scale).hex(),
        input_zero_point=model.input.zero_point,
        output_zero_point=model.output.zero_point,
    )


def emlearn_files(model: QuantizedModel) -> dict[str, str]:
    """Return the header that emlearn generates and those of its own that it includes, by name.

    Raises UsageError if emlearn is not installed, or has no counterpart to an activation of the model.
    """
    try:
        from emlearn import net
    except ImportError as error:
        raise UsageError("emlearn is not installed", "pip install 'sinehil[bench]'") from error
    unknown = {layer.activation for layer in model.dense_layers} - NAMES.keys()
    if unknown:
        raise UsageError(f"emlearn has no {', '.join(sorted(unknown))}", "compare a model without it")
    scales = [np.float64(layer.input.scale) * layer.weight_scales for layer in model.dense_layers]
    weights = [
        (layer.weights * layer.weight_scales[:, None]).T.astype(np.float32) for layer in model.dense_layers
    ]
    biases = [
        (layer.bias * scale).astype(np.float32)
        for layer, scale in zip(model.dense_layers, scales, strict=True)
    ]
    activations = [NAMES[layer.activation] for layer in model.dense_layers]
    generated = net.c_generate_net_loadable(activations, weights, biases, PREFIX)
    own = {item.name: item.read_text() for item in files("emlearn").iterdir() if item.name in HEADERS}
    texts = {f"{PREFIX}.h": generated, **own}
    # The sketch's folder is searched for what is quoted only.
    return {name: re.sub(r"#include <(eml_\w+\.h)>", r'#include "\1"', text) for name, text in texts.items()}
