"""Keras' own fits in the book's words, independent of sinehil: the oracle of the portable trainer.

Run as a program: reads cases (JSON), data and initial weights from one .npz, writes what Keras made of each case.
"""

import json
import sys

import numpy as np
from keras import Model, Sequential, layers, optimizers

given = np.load(sys.argv[1])
found: dict[str, np.ndarray] = {}


def compiled(case: dict) -> Model:
    model = Sequential()
    model.add(layers.Input((1,)))
    for neurons in case["hidden"]:
        model.add(layers.Dense(neurons, activation=case["activation"]))
    model.add(layers.Dense(1))
    optimizer = case["optimizer"]
    if case["schedule"] == "cosine":
        steps = case["epochs"] * -(-len(given["x_train"]) // 16)
        rate = optimizers.get(optimizer).get_config()["learning_rate"]
        decay = optimizers.schedules.CosineDecay(rate, steps)
        optimizer = {"rmsprop": optimizers.RMSprop, "adam": optimizers.Adam, "sgd": optimizers.SGD}[
            optimizer
        ](decay)
    model.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
    return model


for case in json.loads(str(given["cases"])):
    model, name = compiled(case), case["name"]
    model.set_weights([given[f"{name}/{index}"] for index in range(len(model.get_weights()))])
    history = model.fit(
        given["x_train"],
        given["y_train"],
        epochs=case["epochs"],
        batch_size=16,
        shuffle=False,
        validation_data=(given["x_validation"], given["y_validation"]),
        verbose=0,
    ).history
    found |= {f"{name}/{index}": array for index, array in enumerate(model.get_weights())}
    found |= {f"{name}/{key}": np.array(values) for key, values in history.items()}
np.savez(sys.argv[2], **found)
