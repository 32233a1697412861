"""One chain of operators, from the graph's input to its output."""

from typing import Any

from sinehil.tflite_model.limits import MAX_LAYERS, MAX_TABLES
from sinehil.tflite_model.model import FullyConnected, Lookup
from sinehil.tflite_model.operators import (
    TABLES,
    check_conversion,
    check_reshape,
    read_fully_connected,
    read_lookup,
)
from sinehil.tflite_model.tensors import Tensors, entry, text

SUPPORTED = ("QUANTIZE", "FULLY_CONNECTED", *TABLES, "RESHAPE", "DEQUANTIZE")


class Chain:
    """Walks the one subgraph; ``layers`` is what was found so far, ``_at`` the tensor that the walk has reached."""

    def __init__(self, tensors: Tensors) -> None:
        self._all, self.layers, self.batchable = tensors, list[FullyConnected | Lookup](), True
        if tensors.root.SubgraphsLength() != 1:
            raise tensors.refuse("it has not exactly one subgraph")
        self._graph = tensors.root.Subgraphs(0)
        if self._graph.InputsLength() != 1 or self._graph.OutputsLength() != 1:
            raise tensors.refuse("it has not exactly one input and one output tensor")
        self._names = [self._operator_name(number) for number in range(self._graph.OperatorsLength())]
        self._at, self._end = int(self._graph.Inputs(0)), int(self._graph.Outputs(0))
        self._seen = {self._at}

    def walk(self) -> None:
        """Read every operator in turn."""
        self._check_operators()
        for end in (self._at, self._end):
            self._check_end(self._all.get(end))
        self._visit(self._all, self._all.get(self._at))
        for number, name in enumerate(self._names):
            operator = self._operator(number)
            source, output = self._step(operator)
            tensors = self._all.at(f"{name} {text(output.name)}")
            self._visit(tensors, output)
            self._check_place(tensors, number, operator)
            if name == "RESHAPE":
                check_reshape(tensors, operator, source, output)
                self.batchable = False
            elif name == "FULLY_CONNECTED":
                self.layers.append(read_fully_connected(tensors, operator, source, output))
            elif name in TABLES:
                self.layers.append(read_lookup(tensors, name, source, output))
        if self._at != self._end:
            raise self._all.refuse("its operators do not end in its output")

    def ends(self) -> tuple[bool, bool]:
        """Return whether input and output are float."""
        return "QUANTIZE" in self._names, "DEQUANTIZE" in self._names

    def _check_operators(self) -> None:
        for number, name in enumerate(self._names):
            if name not in SUPPORTED:
                output = self._all.get(self._operator(number).outputs[0])
                raise self._all.refuse(
                    f"operator {name} is not supported (it makes tensor {text(output.name)}); "
                    f"chains of {', '.join(SUPPORTED)} are"
                )
        layers = self._names.count("FULLY_CONNECTED")
        if not 1 <= layers <= MAX_LAYERS:
            raise self._all.refuse(f"it has {layers} FULLY_CONNECTED layers; 1 to {MAX_LAYERS} are supported")
        tables = sum(self._names.count(name) for name in TABLES)
        if tables > MAX_TABLES:
            raise self._all.refuse(f"it has {tables} of TANH and LOGISTIC; up to {MAX_TABLES} are supported")

    def _step(self, operator: Any) -> tuple[Any, Any]:
        """Return source and output; an operator takes what the one before gave, and gives a tensor of its own."""
        if len(operator.outputs) != 1 or operator.inputs[0] != self._at or operator.outputs[0] in self._seen:
            raise self._all.refuse("its operators are not one chain")
        source, self._at = self._all.get(self._at), int(operator.outputs[0])
        self._seen.add(self._at)
        return source, self._all.get(self._at)

    def _visit(self, tensors: Tensors, tensor: Any) -> None:
        tensors.check_computed(tensor)
        width = tensors.width(tensor)
        self.batchable &= [int(size) for size in tensor.shape] == [1, width]

    def _check_end(self, tensor: Any) -> None:
        kinds = self._all.schema.TensorType
        if tensor.type not in (kinds.FLOAT32, kinds.INT8):
            raise self._all.refuse(f"tensor {text(tensor.name)} is neither float32 nor int8")

    def _check_place(self, tensors: Tensors, number: int, operator: Any) -> None:
        """Refuse a conversion in the middle, or one between other types than float32 and int8."""
        name = self._names[number]
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
