"""Validation mse after EPOCHS epochs of model_2 by ``--trainer keras`` for SEEDS seeds, as JSON. Run as a program."""

import json
import sys
from dataclasses import replace

from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.training import keras_models

BOOK = load_recipe("book")

epochs, seeds = map(int, sys.argv[1:])
data, recipe = make_dataset(BOOK), replace(BOOK.final, epochs=epochs)
fits = (keras_models.fit(recipe, data, seed, lambda *_: None) for seed in range(seeds))
json.dump([fit.history.final_val_mse for fit in fits], sys.stdout)
