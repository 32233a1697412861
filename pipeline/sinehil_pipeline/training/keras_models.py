"""Build, train, evaluate, summarise and save models with Keras.

TensorFlow is imported when a function needs it, never with this module.
"""

import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sinehil.model.arrays import Float32s
from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import Dataset, Split
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.history import History
from sinehil_pipeline.training.initialisation import initial_weights
from sinehil_pipeline.training.optimizers import Optimizer


@dataclass(frozen=True)
class TestScore:
    """What ``Model.evaluate`` says on the test set."""

    mse: float
    mae: float


def import_keras() -> Any:
    """Import Keras on TensorFlow, float32, without their chatter as far as they let themselves be told."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", MPLBACKEND="Agg")
    # oneDNN picks other kernels on other CPUs; without it Keras' own results differ less between machines.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import keras

    keras.config.set_floatx("float32")
    return keras


def build_model(recipe: ModelRecipe, name: str, batch_size: int | None = None) -> Any:
    """Return the uncompiled Keras model. Every layer is named, because names end up in the .tflite."""
    layers = import_keras().layers
    hidden = [
        layers.Dense(neurons, activation=recipe.activation, name=f"hidden_{number}")
        for number, neurons in enumerate(recipe.hidden, 1)
    ]
    inputs = layers.Input(shape=(1,), batch_size=batch_size, name="x")
    return import_keras().Sequential([inputs, *hidden, layers.Dense(1, name="y")], name=name)


def compiled_model(recipe: ModelRecipe, rows: int, weights: Sequence[Float32s] | None = None) -> Any:
    """Return the model as the book compiles it, for ``rows`` training samples, with ``weights`` if given."""
    model = build_model(recipe, recipe.name)
    steps = recipe.epochs * math.ceil(rows / recipe.batch_size)
    model.compile(optimizer=keras_optimizer(recipe.optimizer, steps), loss="mse", metrics=["mae"])
    if weights is not None:
        model.set_weights(list(weights))
    return model


def keras_optimizer(optimizer: Optimizer, steps: int) -> Any:
    """Return Keras' own optimizer, its defaults untouched but for the learning rate over ``steps``."""
    optimizers = import_keras().optimizers
    rate = optimizer.learning_rate
    if optimizer.schedule == "cosine":
        rate = optimizers.schedules.CosineDecay(rate, steps)
    rules = {"rmsprop": optimizers.RMSprop, "adam": optimizers.Adam, "sgd": optimizers.SGD}
    return rules[optimizer.name](learning_rate=rate)


def fit(
    recipe: ModelRecipe, data: Dataset, seed: int, on_epoch: portable_trainer.OnEpoch
) -> portable_trainer.Fit:
    """Train with ``Model.fit``, literally the book; repeats on one machine, differs between CPU types.

    Keras draws its own initial weights; those of ``spread`` are the portable trainer's.
    """
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    model = compiled_model(recipe, len(data.train.x), _initial_weights(recipe, data, seed))
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, float(logs["val_loss"]))
    )
    logs = model.fit(
        data.train.x,
        data.train.y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation_data=(data.validation.x, data.validation.y),
        callbacks=[report, keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history
    return portable_trainer.Fit(tuple(model.get_weights()), keras_history(logs))


def keras_history(logs: Mapping[str, Sequence[float]]) -> History:
    """Return what ``Model.fit`` recorded of loss and mae."""
    return History(*(np.asarray(logs[name], np.float32) for name in ("loss", "mae", "val_loss", "val_mae")))


def _initial_weights(recipe: ModelRecipe, data: Dataset, seed: int) -> Sequence[Float32s] | None:
    if recipe.init == "keras":
        return None
    return initial_weights(recipe, np.random.RandomState(seed), data.train.x)


def summary_text(model: Any) -> str:
    """Return the table of ``Model.summary``."""
    lines: list[str] = []
    model.summary(line_length=76, print_fn=lines.append)
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()).strip("\n") + "\n"


def evaluate(model: Any, test: Split) -> TestScore:
    """Run ``Model.evaluate`` on the test set."""
    score = model.evaluate(test.x, test.y, batch_size=len(test.x), verbose=0, return_dict=True)
    return TestScore(float(score["loss"]), float(score["mae"]))


def predict(model: Any, x: Float32s) -> Float32s:
    """Return the model's y, shape [n], for x of shape [n]."""
    return np.asarray(model(x[:, None]), np.float32)[:, 0]


ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16


def saved_bytes(model: Any) -> bytes:
    """Return the ``.keras`` file of a Keras model; equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return normalized(path.read_bytes())


def normalized(archive: bytes) -> bytes:
    """Return the same model without dates, and with its shared objects numbered instead of addressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(target, "w") as out:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.external_attr = READABLE
            data = source.read(name)
            out.writestr(entry, _normalized_json(data) if name.endswith(".json") else data)
    return target.getvalue()


def _normalized_json(data: bytes) -> bytes:
    document = json.loads(data)
    document.pop("date_saved", None)
    return json.dumps(_numbered(document, {}), indent=1, sort_keys=True).encode()


def _numbered(node: Any, numbers: dict[int, int]) -> Any:
    """Replace each ``shared_object_id`` by 1, 2, ... in the order of the file."""
    if isinstance(node, list):
        return [_numbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers) + 1)
        if key == "shared_object_id"
        else _numbered(value, numbers)
        for key, value in node.items()
    }
