"""Multiply one byte by many weights and add the products to many accumulators.

``ldi t, |w|; mul h, t; add; adc`` is 5 cycles, the sign being in ADD or SUB. Neurons with the same |w| share the
product; |w| + 1, |w| - 1, 2 |w| and |w| / 2 follow from the product at hand in 2 cycles instead of 3. Where |w| is the
sum or the difference of two others, adding both products takes 2 cycles more and spares the product; 256 times the
byte is the byte itself, one place higher.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.registers import FACTOR, ZERO, Registers

PAST = 256  # the factor whose product is the byte in the next place
SUM_CYCLES, NEVER = 2, 1000


@dataclass(frozen=True)
class WeightProduct:
    """How a product comes about: ``mul``, or by one step from the one before it."""

    factor: int
    step: str


STEPS: Mapping[str, tuple[str, str]] = {
    "+1": ("add", "adc"),
    "-1": ("sub", "sbc"),
    "*2": ("lsl", "rol"),
    "/2": ("lsr", "ror"),
}


@dataclass(frozen=True)
class WeightSum:
    """A factor that is ``first`` + ``second`` (or the difference): both products are added, and it needs none."""

    factor: int
    first: int
    second: int
    minus: bool


@dataclass(frozen=True)
class ProductAddend:
    """A product on its way into an accumulator; ``note``: whose weight it is."""

    negative: bool
    registers: Registers
    note: str = ""


def multiply_add(assembly: Assembly, byte: str, terms: Iterable[tuple[int, Registers, str]]) -> None:
    """Add ``weight * byte`` to each accumulator, with a note for the reader; clobbers r0, r1 and FACTOR."""
    by_factor: dict[int, list[ProductAddend]] = {}
    for weight, registers, note in terms:
        if weight:
            by_factor.setdefault(abs(weight), []).append(ProductAddend(weight < 0, registers, note))
    made, found = shared(tuple(sorted((factor, _extra(users)) for factor, users in by_factor.items())))
    addends: dict[int, list[ProductAddend]] = {}
    for factor in sorted(set(by_factor) - {each.factor for each in found}):
        addends[factor] = list(by_factor[factor])
    for each in found:
        for user in by_factor[each.factor]:
            addends.setdefault(each.first, []).append(user)
            second = replace(user, negative=user.negative ^ each.minus)
            addends.setdefault(each.second, []).append(second)
    for addend in addends.pop(1, []):
        _accumulate(assembly, addend, (byte, ZERO))
    for addend in addends.pop(PAST, []):
        assembly.op("sub" if addend.negative else "add", addend.registers[1], byte, note=addend.note)
    for product in products(made):
        _emit_product(assembly, product, byte)
        for addend in addends[product.factor]:
            _accumulate(assembly, addend, ("r0", "r1"))


def _extra(users: Sequence[ProductAddend]) -> int:
    """Return what a second addition to all users of a factor costs; NEVER if one of them has a third byte."""
    return NEVER if any(len(user.registers) > 2 for user in users) else SUM_CYCLES * len(users)


@cache
def shared(factors: tuple[tuple[int, int], ...]) -> tuple[frozenset[int], tuple[WeightSum, ...]]:
    """Return which factors get a product, and which are sums of two others; each comes with what a sum costs more."""
    made = frozenset(factor for factor, _ in factors) - {1}
    found: list[WeightSum] = []
    while True:
        used = {addend for each in found for addend in (each.first, each.second)}
        cycles = product_cycles(made)
        best: tuple[int, WeightSum] | None = None
        for factor, extra in factors:
            if factor not in made or factor in used or extra >= NEVER:
                continue
            gain = cycles - product_cycles(made - {factor})
            for each in _sums(factor, made - {factor}):
                more = gain - (extra // 2 if PAST in (each.first, each.second) else extra)
                if more > (best[0] if best else 0):
                    best = more, each
        if best is None:
            return made, tuple(found)
        found.append(best[1])
        made -= {best[1].factor}


def _sums(factor: int, made: frozenset[int]) -> Iterator[WeightSum]:
    """Yield how a factor can come about from two of those made, from 1 and from PAST, which need no product."""
    at_hand = made | {1, PAST}
    for first in sorted(at_hand):
        if factor - first in at_hand and factor - first <= first:
            yield WeightSum(factor, first, factor - first, minus=False)
        if first - factor in at_hand:
            yield WeightSum(factor, first, first - factor, minus=True)


def _accumulate(assembly: Assembly, addend: ProductAddend, product: tuple[str, str]) -> None:
    first, then = ("sub", "sbc") if addend.negative else ("add", "adc")
    assembly.op(first, addend.registers[0], product[0], note=addend.note)
    assembly.op(then, addend.registers[1], product[1])
    for register in addend.registers[2:]:
        assembly.op(then, register, ZERO)


def _emit_product(assembly: Assembly, product: WeightProduct, byte: str) -> None:
    note = f"|w| = {product.factor}"
    if product.step == "mul":
        assembly.op("ldi", FACTOR, product.factor)
        assembly.op("mul", byte, FACTOR)
        return
    first, then = STEPS[product.step]
    if product.step == "*2":
        assembly.op(first, "r0", note=note)
        assembly.op(then, "r1")
    elif product.step == "/2":
        assembly.op(first, "r1", note=note)
        assembly.op(then, "r0")
    else:
        assembly.op(first, "r0", byte, note=note)
        assembly.op(then, "r1", ZERO)


def product_cycles(factors: frozenset[int]) -> int:
    """Return what the products of one byte cost, without adding them to anything."""
    return sum(3 if product.step == "mul" else 2 for product in products(factors - {0, 1}))


@cache
def products(factors: frozenset[int]) -> tuple[WeightProduct, ...]:
    """Return all products in an order with as many cheap steps as possible: paths through v, v + 1 and v, 2 v."""
    edges = [(a, b) for a in sorted(factors) for b in sorted(factors) if b in (a + 1, 2 * a) and a < b]
    chosen: tuple[tuple[int, int], ...] = _most_paths(tuple(edges)) if len(edges) <= 16 else _paths(edges)
    neighbours: dict[int, list[int]] = {factor: [] for factor in sorted(factors)}
    for a, b in chosen:
        neighbours[a].append(b)
        neighbours[b].append(a)
    order: list[WeightProduct] = []
    seen: set[int] = set()
    for start in sorted(neighbours, key=lambda factor: (len(neighbours[factor]), factor)):
        at, step = start, "mul"
        while at not in seen:
            seen.add(at)
            order.append(WeightProduct(at, step))
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
