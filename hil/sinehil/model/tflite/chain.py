"""Order the operators of a graph as one chain, from its input to its output."""

from collections.abc import Sequence
from typing import Any

from sinehil.model.tflite.limits import MAX_LAYERS, MAX_TABLES
from sinehil.model.tflite.operators import (
    TABLES,
    check_conversion,
    check_reshape,
    read_fully_connected,
    read_lookup,
)
from sinehil.model.tflite.quantized_model import FullyConnected, Lookup
from sinehil.model.tflite.tensors import Tensors, entry, text

SUPPORTED = ("QUANTIZE", "FULLY_CONNECTED", *TABLES, "RESHAPE", "DEQUANTIZE")


class Chain:
    """Walks the one subgraph; ``layers`` is what was found so far, ``_at`` the tensor that the walk has reached."""

    def __init__(self, tensors: Tensors) -> None:
        self._all, self.layers, self.batchable = tensors, list[FullyConnected | Lookup](), True
        if tensors.root.SubgraphsLength() != 1:
            raise tensors.refuse("it has not exactly one subgraph")
        self._graph = tensors.root.Subgraphs(0)
        numbers = range(self._graph.OperatorsLength())
        self._operators = [self._operator(number) for number in numbers]
        self._names = [self._operator_name(number) for number in numbers]
        inputs, outputs = (
            [int(read(at)) for at in range(count)]
            for read, count in (
                (self._graph.Inputs, self._graph.InputsLength()),
                (self._graph.Outputs, self._graph.OutputsLength()),
            )
        )
        self._check_count("input", inputs)
        self._check_count("output", outputs)
        self._at, self._end = inputs[0], outputs[0]
        self._seen = {self._at}

    def walk(self) -> None:
        """Read every operator in turn."""
        self._check_operators()
        for end in (self._at, self._end):
            self._check_end(self._beside(end), self._all.get(end))
        self._visit(self._beside(self._at), self._all.get(self._at))
        for number, (name, operator) in enumerate(zip(self._names, self._operators, strict=True)):
            tensors = self._place(number)
            source, output = self._step(tensors, operator)
            self._visit(tensors, output)
            self._check_conversion(tensors, number)
            if name == "RESHAPE":
                check_reshape(tensors, operator, source, output)
                self.batchable = False
            elif name == "FULLY_CONNECTED":
                self.layers.append(read_fully_connected(tensors, operator, source, output))
            elif name in TABLES:
                self.layers.append(read_lookup(tensors, name, source, output))
        if self._at != self._end:
            made, wanted = self._all.name(self._at), self._all.name(self._end)
            raise self._place(-1).refuse(
                f"it makes tensor {made}, expected {wanted}: the model's operators do not end in its output"
            )

    def ends(self) -> tuple[bool, bool]:
        """Return whether input and output are float."""
        return "QUANTIZE" in self._names, "DEQUANTIZE" in self._names

    def _place(self, number: int) -> Tensors:
        """Return the tensors, at an operator that is named together with what it makes."""
        made = self._operators[number].outputs
        return self._all.at(f"{self._names[number]} {self._all.name(made[0]) if len(made) else '?'}")

    def _beside(self, index: int) -> Tensors:
        """Return the tensors, at the operator that makes the one with this index or else takes it, if there is one."""
        made = [number for number, operator in enumerate(self._operators) if index in operator.outputs]
        taken = [number for number, operator in enumerate(self._operators) if index in operator.inputs]
        return next(map(self._place, [*made, *taken]), self._all)

    def _check_count(self, kind: str, ends: Sequence[int]) -> None:
        if len(ends) != 1:
            tensors = (
                self._beside(ends[-1])
                if len(ends)
                else next(map(self._place, range(len(self._names))), self._all)
            )
            names = ", ".join(map(self._all.name, ends)) or "none"
            raise tensors.refuse(f"the model has not exactly one {kind} tensor, but {len(ends)}: {names}")

    def _check_operators(self) -> None:
        for name, operator in zip(self._names, self._operators, strict=True):
            if name not in SUPPORTED:
                raise self._all.refuse(
                    f"operator {name} is not supported (it makes tensor {self._all.name(operator.outputs[0])}); "
                    f"chains of {', '.join(SUPPORTED)} are"
                )
        layers = self._numbers("FULLY_CONNECTED")
        if not layers or len(layers) > MAX_LAYERS:
            place = self._place(layers[-1]) if layers else self._beside(self._end)
            raise place.refuse(
                f"the model has {len(layers)} FULLY_CONNECTED layers; 1 to {MAX_LAYERS} are supported"
            )
        tables = self._numbers(*TABLES)
        if len(tables) > MAX_TABLES:
            raise self._place(tables[-1]).refuse(
                f"the model has {len(tables)} of TANH and LOGISTIC; up to {MAX_TABLES} are supported"
            )

    def _numbers(self, *wanted: str) -> list[int]:
        return [number for number, name in enumerate(self._names) if name in wanted]

    def _step(self, tensors: Tensors, operator: Any) -> tuple[Any, Any]:
        """Return source and output; an operator takes what the one before gave, and gives a tensor of its own."""
        problem = self._step_problem(operator)
        if problem is not None:
            raise tensors.refuse(f"it {problem}: the model's operators are not one chain")
        source, self._at = self._all.get(self._at), int(operator.outputs[0])
        self._seen.add(self._at)
        return source, self._all.get(self._at)

    def _step_problem(self, operator: Any) -> str | None:
        if len(operator.outputs) != 1:
            return f"makes {len(operator.outputs)} tensors"
        if operator.inputs[0] != self._at:
            return f"takes tensor {self._all.name(operator.inputs[0])}, expected {self._all.name(self._at)}"
        if operator.outputs[0] in self._seen:
            return f"makes tensor {self._all.name(operator.outputs[0])} once more"
        return None

    def _visit(self, tensors: Tensors, tensor: Any) -> None:
        tensors.check_computed(tensor)
        width = tensors.width(tensor)
        self.batchable &= [int(size) for size in tensor.shape] == [1, width]

    def _check_end(self, tensors: Tensors, tensor: Any) -> None:
        kinds = tensors.schema.TensorType
        if tensor.type not in (kinds.FLOAT32, kinds.INT8):
            raise tensors.refuse(f"tensor {text(tensor.name)} is neither float32 nor int8")

    def _check_conversion(self, tensors: Tensors, number: int) -> None:
        """Refuse a conversion in the middle, or one between other types than float32 and int8."""
        name, operator = self._names[number], self._operators[number]
        beside = {"QUANTIZE": self._names[:number], "DEQUANTIZE": self._names[number + 1 :]}
        if name in beside:
            check_conversion(tensors, name, operator)
            if set(beside[name]) - {"RESHAPE"}:
                raise tensors.refuse("it is supported only at the model's ends")

    def _operator(self, number: int) -> Any:
        return self._all.schema.OperatorT.InitFromObj(entry(self._graph, "Operators", number))

    def _operator_name(self, number: int) -> str:
        code = entry(self._all.root, "OperatorCodes", entry(self._graph, "Operators", number).OpcodeIndex())
        kind = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        kinds = vars(self._all.schema.BuiltinOperator).items()
        return next((name for name, value in kinds if value == kind), f"number {kind}")
