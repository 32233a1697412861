"""Format a sweep as a CSV table and as lines for the terminal. Pure."""

from collections.abc import Iterator, Sequence

from sinehil.model.targets import TARGETS
from sinehil_pipeline.config import GateRecipe, Recipe
from sinehil_pipeline.sweep.seeds import MEASURES, NEVER_LEARNT_FACTOR, SeedOutcome, SeedResult
from sinehil_pipeline.sweep.statistics import Quartiles, Share, Standing, Statistics


def results_csv(results: Sequence[SeedResult], gate: GateRecipe) -> str:
    """Return a line for each result; what there is not is an empty field."""
    lines = [",".join(["seed", "outcome", *MEASURES])]
    for result in results:
        values = ("" if value is None else repr(value) for value in map(result.as_dict().get, MEASURES))
        lines.append(",".join([str(result.seed), result.outcome(gate), *values]))
    return "\n".join(lines) + "\n"


def meanings(recipe: Recipe) -> dict[SeedOutcome, str]:
    """Return what each outcome means, in words, with the recipe's numbers."""
    gate = recipe.gate.max_val_mse
    return {
        SeedOutcome.LEARNT: f"passes the gate: ends with a val mse of at most {gate:g}",
        SeedOutcome.ABOVE_GATE: "ends above the gate, near which it once was",
        SeedOutcome.NEVER_LEARNT: (
            f"always above {NEVER_LEARNT_FACTOR * gate:g}, {NEVER_LEARNT_FACTOR:g} times the gate"
        ),
        SeedOutcome.DIVERGED: "the mse was no longer a finite number",
    }


def title(recipe: Recipe, seeds: int) -> str:
    """Return what was swept."""
    plural = "" if seeds == 1 else "s"
    return (
        f"{recipe.final.name} of {recipe.name} from {seeds} seed{plural}, {recipe.final.epochs} epochs each"
    )


def counted(seeds: int) -> str:
    """Return a number of seeds as people write it."""
    return "1 seed" if seeds == 1 else f"{seeds} seeds"


def outcome_text(outcome: SeedOutcome) -> str:
    """Return an outcome as people write it."""
    return outcome.replace("_", " ")


def percent(share: Share) -> str:
    """Return a share with its 95 % interval."""
    return f"{100 * share.count / share.of:.1f} % (95 %: {100 * share.low:.1f} to {100 * share.high:.1f})"


def summary_lines(recipe: Recipe, statistics: Statistics) -> list[str]:
    """Return all lines for the terminal."""
    return [
        title(recipe, statistics.never.of),
        *_outcome_lines(recipe, statistics),
        "",
        *_quartile_lines(recipe, statistics),
        "",
        own_line(recipe, statistics),
    ]


def _outcome_lines(recipe: Recipe, statistics: Statistics) -> Iterator[str]:
    means = meanings(recipe)
    for outcome, share in statistics.outcomes.items():
        if share.count or outcome is not SeedOutcome.DIVERGED:
            yield f"{outcome_text(outcome):<13}{share.count:>6}  {percent(share):<32}{means[outcome]}"


def _quartile_lines(recipe: Recipe, found: Statistics) -> Iterator[str]:
    rows = [
        ("test mse", found.test_mse, found.test_mse_reached),
        ("test mse as int8", found.int8_test_mse, found.int8_test_mse_reached),
    ]
    if recipe.data.target is not None:
        label = TARGETS[recipe.data.target].plain
        rows.append(
            (f"int8: largest |y - {label}|", found.int8_max_abs_error, found.int8_max_abs_error_reached)
        )
    yield f"{'':<50}{'quartile':>10}{'median':>10}{'quartile':>10}"
    for name, everyone, reached in rows:
        for group, quartiles in (("all", everyone), ("without never learnt", reached)):
            yield f"{name}, {group}".ljust(50) + _numbers(quartiles)


def _numbers(found: Quartiles) -> str:
    values = (found.lower, found.median, found.upper)
    return "".join(f"{'none' if value is None else f'{value:.4f}':>10}" for value in values)


def own_line(recipe: Recipe, statistics: Statistics) -> str:
    """Return where the recipe's own seed stands."""
    own = statistics.own
    if own is None:
        return f"seed {recipe.seed}, the recipe's own, is not among them"
    figures = f"{outcome_text(own.outcome)}{_figures(recipe, own)}"
    return f"seed {recipe.seed}, the recipe's own: {figures}; {_rank(own, statistics)}"


def _figures(recipe: Recipe, own: Standing) -> str:
    result, text = own.result, ""
    if result.test_mse is not None:
        text += f", test mse {result.test_mse:.4f}"
    if result.int8_max_abs_error is not None and recipe.data.target is not None:
        label = TARGETS[recipe.data.target].plain
        text += f", as int8 up to {result.int8_max_abs_error:.3f} from {label}"
    return text


def _rank(own: Standing, statistics: Statistics) -> str:
    rank = f"rank {own.rank} of {statistics.never.of} by test mse"
    return f"{rank}, better than {100 * own.better_than:.0f} % of the others"
