from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_runs import Recorder, Run

from sinehil.base.manifest import TrainingTry, read_manifest
from sinehil.base.workers import Workers
from sinehil.errors import QualityError
from sinehil_pipeline.config import GateRecipe, Recipe
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.history import History
from sinehil_pipeline.training.jobs import first_divergence, train_final

BOOK = load_recipe("book")

Short = Callable[..., Recipe]


def test_a_gate_that_cannot_be_passed_stops_the_run(
    short_recipe: Short, tmp_path: Path, recorder: Recorder
) -> None:
    with pytest.raises(
        QualityError, match=r"model_2 stayed above the gate of 0\.0001 .* in 5 tries"
    ) as found:
        train(short_recipe(max_val_mse=0.0001), tmp_path, "portable", recorder)
    assert "--seed 142" in found.value.next_step
    assert [epoch for model, epoch, *_ in recorder.epochs if model == "model_2"] == [3] * 5
    assert list(tmp_path.iterdir()) == []


def ends(recipe: Recipe, count: int) -> list[float]:
    """Return the validation mse of the first ``count`` tries, trained here."""
    seeds, data = range(recipe.seed, recipe.seed + count), make_dataset(recipe)
    return [portable_trainer.fit(recipe.final, data, seed).history.final_val_mse for seed in seeds]


def test_a_try_above_the_gate_is_followed_by_the_next_seed(short_recipe: Short, recorder: Recorder) -> None:
    starts = (short_recipe(seed=seed) for seed in range(100, 200))
    recipe, (first, second) = next((r, e) for r in starts if (e := ends(r, 2))[0] > e[1])
    gated = replace(recipe, gate=GateRecipe(max_val_mse=(first + second) / 2, max_tries=2))
    with Workers(recorder) as workers:
        task = workers.start(train_final, gated, "portable")
        workers.wait_for(task)
    trained = task.result()
    assert trained.seed == recipe.seed + 1
    assert trained.tries == (
        TrainingTry(recipe.seed, first, False),
        TrainingTry(recipe.seed + 1, second, True),
    )


@pytest.mark.parametrize("trainer", ["portable", "keras"])
def test_a_diverging_training_stops_the_run(
    short_recipe: Short, tmp_path: Path, recorder: Recorder, trainer: str
) -> None:
    words = r"training of model_\d from seed 137 diverged in epoch 1 of 30: its mse is no longer"
    with pytest.raises(QualityError, match=words) as found:
        train(short_recipe(noise=1e30, epochs=30), tmp_path, trainer, recorder)
    assert "learning_rate" in found.value.next_step
    assert list(tmp_path.iterdir()) == []
    assert max(epoch for _, epoch, *_ in recorder.epochs) <= portable_trainer.EPOCHS_PER_REPORT, (
        "it must stop at once"
    )


@pytest.mark.parametrize("name", ["mse", "val_mse"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_epoch_that_diverged_is_found(name: str, value: float) -> None:
    good = {key: np.ones(5, np.float32) for key in History.__dataclass_fields__}
    assert first_divergence(History(**good)) is None
    bad = good[name].copy()
    bad[[2, 4]] = value
    assert first_divergence(History(**{**good, name: bad})) == 3


def test_the_manifest_tells_the_tries(book_run: Run) -> None:
    manifest = read_manifest(book_run.folder)
    assert manifest.tries == book_run.summary.tries
    assert manifest.init_seed == manifest.tries[-1].seed
    assert manifest.tries[-1].val_mse <= BOOK.gate.max_val_mse
    assert [item.accepted for item in manifest.tries] == [False] * (len(manifest.tries) - 1) + [True]
