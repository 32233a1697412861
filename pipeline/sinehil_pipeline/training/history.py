"""Loss and mean absolute error of each epoch of a training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s


@dataclass(frozen=True)
class History:
    """One value an epoch, float32, shape [epochs]; mse is the loss.

    As in Keras, the training values are means over the batches as they were met, the validation values are taken
    after the epoch.
    """

    mse: Float32s
    mae: Float32s
    val_mse: Float32s
    val_mae: Float32s

    @property
    def final_val_mse(self) -> float:
        """The value the quality gate looks at."""
        return float(self.val_mse[-1])


def history_csv(history: History) -> str:
    """Return ``epoch,mse,mae,val_mse,val_mae`` lines; epochs count from 1."""
    columns = (history.mse, history.mae, history.val_mse, history.val_mae)
    rows = (f"{epoch},{','.join(map(str, row))}" for epoch, row in enumerate(zip(*columns, strict=True), 1))
    return "\n".join(["epoch,mse,mae,val_mse,val_mae", *rows]) + "\n"


def joined(records: Sequence[History]) -> History:
    """Return consecutive stretches of one training as one."""
    names = History.__dataclass_fields__
    return History(*(np.concatenate([getattr(record, name) for record in records]) for name in names))
