"""Lay out the constants of a layer in flash, in the order in which the checksum reads them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import AnyArray
from sinehil_kernels.c_parts import C_TYPES
from sinehil_kernels.portable.layer_plan import LayerPlan
from sinehil_kernels.portable.oracle_requantization import OracleForm
from sinehil_kernels.portable.requantization import Line, Steps

READS = {1: "byte", 2: "word", 4: "dword"}
WRAP = 94
NO_LINE = Line(0, 0, 0, 0)
NO_ORACLE_FORM = OracleForm("", 0, 0)


@dataclass(frozen=True)
class Table:
    """A constant array with its name in C; ``rows`` name the rows of a two-dimensional one."""

    name: str
    values: AnyArray
    rows: tuple[str, ...] = ()

    def read(self, index: str) -> str:
        """Return the C expression of one value, wherever constants lie."""
        raw = f"pgm_read_{READS[self.values.dtype.itemsize]}(&{self.name}[{index}])"
        return f"(int32_t){raw}" if self.values.dtype == np.int32 else raw

    def definition(self) -> str:
        """Return the C text that defines it."""
        if self.rows:
            pairs = zip(self.values, self.rows, strict=True)
            lines = [f"{_wrapped(row)}, /* {name} */" for row, name in pairs]
        else:
            lines = [_wrapped(self.values)]
        body = "\n    ".join(lines)
        c_type = C_TYPES[self.values.dtype.name]
        return f"static const {c_type} {self.name}[{self.values.size}] PROGMEM = {{\n    {body}}};\n"


def kernel_tables(plans: list[LayerPlan]) -> list[Table]:
    """Return all tables of a kernel."""
    first = input_tables(plans[0])
    return [*first, *(table for n, plan in enumerate(plans, 1) for table in layer_tables(n, plan).values())]


def input_tables(first: LayerPlan) -> list[Table]:
    """Return the table for the model's input codes, if it has one."""
    return [] if first.input_table is None else [Table("input_u", first.input_table)]


def layer_tables(number: int, plan: LayerPlan) -> dict[str, Table]:
    """Return the tables of one layer by what they are for."""
    neurons = tuple(f"neuron {neuron}" for neuron in plan.neurons)
    tables = {kind: Table(f"layer_{number}_{kind}", values) for kind, values in _constants(plan)}
    return {"weights": Table(f"layer_{number}_weights", plan.weights, neurons), **tables}


def _constants(plan: LayerPlan) -> Iterator[tuple[str, AnyArray]]:
    word = np.uint16 if plan.scheme.bits == 16 else np.uint32
    lines = [form if isinstance(form, Line) else NO_LINE for form in plan.forms]
    yield "bias", plan.bias.astype(np.int16 if plan.narrow else np.int32)
    if plan.limited:
        limits = np.array([line.limit for line in lines], np.int64)
        yield "limit", limits.astype(np.uint16 if limits.max() < 2**16 else np.uint32)
    yield "multiplier", np.array([line.multiplier for line in lines], word)
    yield "offset", np.array([line.offset for line in lines], word)
    if plan.has_oracle_form:
        own = [form if isinstance(form, OracleForm) else NO_ORACLE_FORM for form in plan.forms]
        yield "own", np.array([form.word for form in own], np.uint32)
        yield "shift", np.array([form.shift for form in own], np.int8)
    if plan.has_steps:
        yield from _steps(plan)
    if plan.table is not None:
        yield "table", plan.table


def _steps(plan: LayerPlan) -> Iterator[tuple[str, AnyArray]]:
    """Yield where each neuron's steps begin (a line has none), and the steps of all neurons."""
    steps = [form if isinstance(form, Steps) else Steps(0, (), ()) for form in plan.forms]
    yield "first", np.cumsum([0, *(len(form.starts) for form in steps)]).astype(np.uint16)
    yield "start", np.array([at for form in steps for at in form.starts], np.int32)
    yield "value", np.array([value for form in steps for value in form.values], np.uint8)


def _wrapped(values: AnyArray) -> str:
    suffix = "UL" if values.dtype == np.uint32 else ""
    rows, row = [], ""
    for word in (f"{value}{suffix}" for value in values.tolist()):
        if len(row) + len(word) > WRAP:
            rows.append(row.rstrip())
            row = ""
        row += f"{word}, "
    return "\n    ".join([*rows, row]).rstrip(", ")
