"""Keras' own fit of model_2, in the book's words and independent of sinehil: the oracle of the portable trainer.

Run as a program: reads initial weights, x, y, epochs from one .npz, writes the trained weights and the history.
"""

import sys

import numpy as np
from keras import Sequential, layers

ORDER = ("hidden_1_kernel", "hidden_1_bias", "hidden_2_kernel", "hidden_2_bias", "y_kernel", "y_bias")

given = np.load(sys.argv[1])
model = Sequential()
model.add(layers.Input((1,)))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1))
model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
model.set_weights([given[name] for name in ORDER])
history = model.fit(
    given["x_train"],
    given["y_train"],
    epochs=int(given["epochs"]),
    batch_size=16,
    shuffle=False,
    validation_data=(given["x_validation"], given["y_validation"]),
    verbose=0,
).history
np.savez(sys.argv[2], **dict(zip(ORDER, model.get_weights(), strict=True)), **history)
