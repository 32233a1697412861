"""One byte times many weights, added to many accumulators.

``ldi t, |w|; mul h, t; add; adc`` is 5 cycles, the sign being in ADD or SUB. Neurons with the same |w| share the
product; |w| + 1, |w| - 1, 2 |w| and |w| / 2 follow from the product at hand in 2 cycles instead of 3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from sinehil_pipeline.codegen.avr.assembly import Assembly
from sinehil_pipeline.codegen.speed.registers import FACTOR, ZERO, Registers


@dataclass(frozen=True)
class Product:
    """How a product comes about: ``mul``, or by one step from the one before it."""

    factor: int
    step: str


STEPS: Mapping[str, tuple[str, str]] = {
    "+1": ("add", "adc"),
    "-1": ("sub", "sbc"),
    "*2": ("lsl", "rol"),
    "/2": ("lsr", "ror"),
}


def multiply_add(
    assembly: Assembly, byte: str, terms: Iterable[tuple[int, Registers]], note: str = ""
) -> None:
    """Add ``weight * byte`` to each accumulator; clobbers r0, r1 and FACTOR."""
    by_factor: dict[int, list[tuple[bool, Registers]]] = {}
    for weight, registers in terms:
        if weight:
            by_factor.setdefault(abs(weight), []).append((weight < 0, registers))
    for negative, registers in by_factor.pop(1, []):
        _accumulate(assembly, negative, registers, (byte, ZERO))
    for product in products(frozenset(by_factor)):
        _emit_product(assembly, product, byte, note)
        for negative, registers in by_factor[product.factor]:
            _accumulate(assembly, negative, registers, ("r0", "r1"))


def _accumulate(assembly: Assembly, negative: bool, registers: Registers, addend: tuple[str, str]) -> None:
    first, then = ("sub", "sbc") if negative else ("add", "adc")
    assembly.op(first, registers[0], addend[0])
    assembly.op(then, registers[1], addend[1])
    for register in registers[2:]:
        assembly.op(then, register, ZERO)


def _emit_product(assembly: Assembly, product: Product, byte: str, note: str) -> None:
    if product.step == "mul":
        assembly.op("ldi", FACTOR, product.factor, note=note)
        assembly.op("mul", byte, FACTOR)
        return
    first, then = STEPS[product.step]
    if product.step == "*2":
        assembly.op(first, "r0", note=f"{note} |w| = {product.factor}".strip())
        assembly.op(then, "r1")
    elif product.step == "/2":
        assembly.op(first, "r1", note=f"{note} |w| = {product.factor}".strip())
        assembly.op(then, "r0")
    else:
        assembly.op(first, "r0", byte, note=f"{note} |w| = {product.factor}".strip())
        assembly.op(then, "r1", ZERO)


def product_cycles(factors: frozenset[int]) -> int:
    """Return what the products of one byte cost, without adding them to anything."""
    return sum(3 if product.step == "mul" else 2 for product in products(factors - {0, 1}))


@cache
def products(factors: frozenset[int]) -> tuple[Product, ...]:
    """Return all products in an order with as many cheap steps as possible: paths through v, v + 1 and v, 2 v."""
    edges = [(a, b) for a in sorted(factors) for b in sorted(factors) if b in (a + 1, 2 * a) and a < b]
    chosen: tuple[tuple[int, int], ...] = _most_paths(tuple(edges)) if len(edges) <= 16 else _paths(edges)
    neighbours: dict[int, list[int]] = {factor: [] for factor in sorted(factors)}
    for a, b in chosen:
        neighbours[a].append(b)
        neighbours[b].append(a)
    order: list[Product] = []
    seen: set[int] = set()
    for start in sorted(neighbours, key=lambda factor: (len(neighbours[factor]), factor)):
        at, step = start, "mul"
        while at not in seen:
            seen.add(at)
            order.append(Product(at, step))
            ahead = [factor for factor in neighbours[at] if factor not in seen]
            if not ahead:
                break
            step, at = _step(at, ahead[0]), ahead[0]
    return tuple(order)


def _step(start: int, end: int) -> str:
    if end == 2 * start:
        return "*2"
    if start == 2 * end:
        return "/2"
    return "+1" if end > start else "-1"


def _most_paths(edges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return the most edges that make only paths: no branching, no ring. Exhaustive, for few edges."""
    best: tuple[tuple[int, int], ...] = ()

    def extend(index: int, chosen: tuple[tuple[int, int], ...]) -> None:
        nonlocal best
        if len(chosen) + len(edges) - index <= len(best):
            return
        if index == len(edges):
            best = chosen
            return
        if _stays_paths(chosen, edges[index]):
            extend(index + 1, (*chosen, edges[index]))
        extend(index + 1, chosen)

    extend(0, ())
    return best


def _paths(edges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return edges that make only paths, taken as they come."""
    chosen: tuple[tuple[int, int], ...] = ()
    for edge in edges:
        if _stays_paths(chosen, edge):
            chosen = (*chosen, edge)
    return chosen


def _stays_paths(chosen: tuple[tuple[int, int], ...], edge: tuple[int, int]) -> bool:
    if any(sum(end in other for other in chosen) >= 2 for end in edge):
        return False
    reached, grown = {edge[0]}, True
    while grown:
        grown = False
        for a, b in chosen:
            if (a in reached) != (b in reached):
                reached |= {a, b}
                grown = True
    return edge[1] not in reached
