"""Random nets on a simulated Uno, every code and every step of the quantiser: each kernel equals its interpreter."""

import pytest
from random_nets import any_net
from test_avr import Runner, assert_equals_interpreter, run_on_avr
from tests.sampling import only

from sinehil.model.arithmetic import ORACLES
from sinehil_kernels import generate_kernel

__all__ = ["run_on_avr"]  # a fixture
FIRST, BATCH = 5000, 10
BATCHES = {"portable": 10, "speed": 3, "size": 1}
WIDEST = {"portable": 40, "speed": 10, "size": 24}  # what fits into 32 kB and is generated in a second or so
CASES = [
    (engine, ORACLES[number % len(ORACLES)], range(FIRST + BATCH * number, FIRST + BATCH * (number + 1)))
    for engine, count in BATCHES.items()
    for number in range(count)
]
FIRST_OF_EACH = [CASES[0], CASES[BATCHES["portable"]], CASES[-1]]
pytestmark = [pytest.mark.board, pytest.mark.slow]


@pytest.mark.parametrize(("engine", "oracle", "seeds"), only(FIRST_OF_EACH, CASES, spread=True), ids=str)
def test_random_nets_equal_the_interpreter(
    engine: str, oracle: str, seeds: range, run_on_avr: Runner
) -> None:
    for seed in seeds:
        model = any_net(seed, widest=WIDEST[engine], one_to_one=True).model()
        generated = generate_kernel(model, oracle, engine)
        run = run_on_avr(generated, model)
        print(f"seed {seed}: {run.cycles.mean():.0f} cycles")  # noqa: T201
        assert_equals_interpreter(run, generated, model)
