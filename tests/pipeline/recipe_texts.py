"""A recipe with nothing but what must be said, and changes to it."""

from pathlib import Path

MINIMAL = """
name = "mine"
seed = 1
samples = 100
noise = 0.5
train_fraction = 0.5
validation_fraction = 0.25
representative_samples = 50
[baseline]
hidden = [4]
epochs = 2
batch_size = 8
[final]
hidden = [64, 1, 3, 4]
epochs = 3
batch_size = 8
[gate]
max_val_mse = 1
max_tries = 2
"""


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "my.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def changed(key: str, line: str) -> str:
    """Return MINIMAL with another line in the place of its last one that sets ``key``."""
    before, found, after = MINIMAL.rpartition(f"\n{key} = ")
    assert found
    return f"{before}\n{line}\n{after.partition(chr(10))[2]}"
