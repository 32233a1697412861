"""Write the C text of one layer: its proof, its constants, its loop."""

from collections.abc import Iterator, Mapping

from sinehil_kernels.c_parts import harmless
from sinehil_kernels.portable.layer_plan import Form, LayerPlan
from sinehil_kernels.portable.oracle_requantization import OracleForm
from sinehil_kernels.portable.requantization import Scheme, Steps
from sinehil_kernels.portable.tables import layer_tables

FUNCTION = """
static void layer_{n}(const uint8_t *in, uint8_t *out) {{
  const int8_t *weight = &layer_{n}_weights[0];
  for (uint8_t j = 0; j < {outputs}; ++j) {{
    {sum} t = ({sum}){bias};
    for (uint8_t i = 0; i < {inputs}; ++i) {{
      t += ({sum})((int8_t)pgm_read_byte(weight++) * (int16_t)in[i]);
    }}
{own}{steps}    {u} = {line};
{table}  }}
}}
"""

OWN = """\
    const uint32_t own = {own};
    if (own) {{ /* no line is right */
      const int8_t code = own_code(t, own, (int8_t){shift}, {zero_point});
      out[j] = {value};
      continue;
    }}
"""

STEPS = """\
    uint16_t step = pgm_read_word(&layer_{n}_first[j]), end = pgm_read_word(&layer_{n}_first[j + 1]);
    if (step < end) {{ /* no line is right: the last step that t has reached */
      while (end - step > 1) {{
        const uint16_t middle = (uint16_t)((step + end) / 2);
        if ((int32_t)pgm_read_dword(&layer_{n}_start[middle]) <= t) {{
          step = middle;
        }} else {{
          end = middle;
        }}
      }}
      out[j] = {value};
      continue;
    }}
"""


def emit_layer(number: int, plan: LayerPlan) -> str:
    """Return one layer's tables and function, after a comment with the proof of each neuron in numbers."""
    outputs, inputs = plan.weights.shape
    tables = layer_tables(number, plan)
    table = tables.get("table")
    value = tables["value"].read("step") if plan.has_steps else ""
    clamped = _clamped_code(plan.ranges.lowest, plan.ranges.highest)
    function = FUNCTION.format(
        n=number,
        outputs=outputs,
        inputs=inputs,
        sum="uint16_t" if plan.narrow else "int32_t",
        bias=tables["bias"].read("j"),
        own=OWN.format(
            own=tables["own"].read("j"),
            shift=tables["shift"].read("j"),
            zero_point=plan.ranges.layer.output.zero_point,
            value=table.read(clamped) if table else clamped,
        )
        if plan.has_oracle_form
        else "",
        steps=STEPS.format(n=number, value=table.read(value) if table else value) if plan.has_steps else "",
        u="const uint8_t u" if table else "out[j]",
        line=_clamped_line(plan, {kind: found.read("j") for kind, found in tables.items()}),
        table=f"    out[j] = {table.read('u')};\n" if table else "",
    )
    proof = "\n * ".join(_proof(number, plan))
    return f"\n/* {proof} */\n" + "".join(found.definition() for found in tables.values()) + function


def _clamped_code(lowest: int, highest: int) -> str:
    """Return the C expression of u for an int8 ``code``; what cannot occur is not asked for."""
    code = "code" if highest == 127 else f"code > {highest} ? {highest} : code"
    if lowest > -128:
        code = f"code < {lowest} ? {lowest} : {code}"
    return f"(uint8_t)(({code}) - ({lowest}))"


def _clamped_line(plan: LayerPlan, reads: Mapping[str, str]) -> str:
    """Return the C expression of u for a sum t; what cannot occur is not asked for."""
    t = "t" if plan.narrow else "(uint32_t)t"
    u = f"(uint8_t)({_line(plan.scheme, t, reads['multiplier'], reads['offset'])})"
    if plan.limited:
        u = f"{t} > {reads['limit']} ? {plan.highest} : {u}"
    if plan.spans.min() < 0:
        u = f"{f't > {plan.ceiling}' if plan.narrow else 't < 0'} ? 0 : {u}"
    return u


def _line(scheme: Scheme, t: str, multiplier: str, offset: str) -> str:
    """Return the C expression of an unlimited line, in the widths that its scheme proves to hold it."""
    if scheme.bits == 16:
        t = f"(uint16_t)({t} << {scheme.up})" if scheme.up else f"(uint16_t){t}"
        return f"(uint16_t)(((uint32_t){t} * {multiplier} >> {scheme.drop}) + {offset}) >> {scheme.shift}"
    if scheme.drop:
        return f"((uint32_t)((uint64_t){t} * {multiplier} >> {scheme.drop}) + {offset}) >> {scheme.shift}"
    return f"({t} * {multiplier} + {offset}) >> {scheme.shift}"


def _proof(number: int, plan: LayerPlan) -> Iterator[str]:
    """Yield lines that name the layer and say, neuron by neuron, what was proven over which accumulators."""
    layer = plan.ranges.layer
    outputs, inputs = layer.weights.shape
    yield f"Layer {number}, {harmless(layer.name)}: {inputs} -> {outputs}, {layer.activation}"
    yield f"u = code - ({plan.ranges.lowest}), {16 if plan.narrow else 32}-bit sums"
    if plan.table is not None:
        yield f"handed on through a table, as code - ({plan.origin})"
    if len(plan.inputs) < inputs:
        yield f"columns: inputs {', '.join(map(str, plan.inputs))}"
    for neuron, form in zip(plan.neurons, plan.forms, strict=True):
        domain = plan.ranges.neurons[neuron]
        low, high = domain.span
        proven = f"all {len(domain.accumulators)} that occur" if domain.listed else "all of the interval"
        yield f"neuron {neuron}: accumulators {low} to {high}, {proven}: {_form(form, plan)}"
    for skipped in plan.skipped:
        why = "looked at by no weight" if skipped.code is None else f"its code is always {skipped.code}"
        yield f"neuron {skipped.neuron}: not computed, {why}"


def _form(form: Form, plan: LayerPlan) -> str:
    if isinstance(form, OracleForm):
        return f"the interpreter's own arithmetic, constants {form.word:#010x} and {form.shift}"
    if isinstance(form, Steps):
        return f"t = accumulator - ({form.base}), {len(form.starts)} steps"
    t = f"(t << {plan.scheme.up})" if plan.scheme.up else "t"
    scaled = (
        f"({t} * {form.multiplier} >> {plan.scheme.drop})" if plan.scheme.drop else f"{t} * {form.multiplier}"
    )
    line = f"({scaled} + {form.offset}) >> {plan.scheme.shift}"
    limit = "" if form.limit is None else f" up to t = {form.limit}"
    return f"t = accumulator - ({form.base}), u = {line}{limit}"
