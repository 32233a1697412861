"""Read what a command works on, as its options say it: model, oracle, kernel, board and build folder."""

from dataclasses import dataclass
from pathlib import Path

from sinehil.base.manifest import QUANTIZED_MODEL, SAMPLES, Manifest, checked_file, read_manifest
from sinehil.errors import ArtefactError
from sinehil.jobs import DEFAULT_BUILD, DEFAULT_FQBN, DEFAULT_ORACLE
from sinehil.model.arithmetic import arithmetic_of
from sinehil.model.targets import NO_MANIFEST, Aim, aim_of
from sinehil.model.tflite import QuantizedModel, load_quantized_model


@dataclass(frozen=True)
class Selection:
    """A model, read and checked, and what is to be made of it.

    ``manifest`` is the one that lists the model's file in ``folder``, None where there is none. ``optimize`` None is
    the fastest kernel that fits the board.
    """

    model: QuantizedModel
    folder: Path
    manifest: Manifest | None
    oracle: str
    optimize: str | None
    fqbn: str
    build: Path

    @property
    def aim(self) -> Aim:
        """What the model was made to compute; raise ArtefactError if its recipe does not say."""
        return NO_MANIFEST if self.manifest is None else aim_of(self.manifest.recipe)

    def build_folder(self, engine: str) -> Path:
        """Return a folder of its own for each board, oracle, engine and model."""
        name = f"{self.fqbn.replace(':', '.')}-{self.oracle}-{engine}-{self.model.sha256[:12]}"
        return self.build / name

    def test_samples(self) -> Path:
        """Return the file with the test samples, checked; raise ArtefactError if the manifest lists none."""
        if self.manifest is None:
            raise ArtefactError(f"no manifest lists {self.model.name}", "leave --model out")
        return checked_file(self.folder, self.manifest, SAMPLES)


def select(
    artifacts: Path,
    model: Path | None = None,
    *,
    oracle: str = DEFAULT_ORACLE,
    optimize: str | None = None,
    fqbn: str = DEFAULT_FQBN,
    build: Path = DEFAULT_BUILD,
) -> Selection:
    """Read ``--model``, else the artefact folder's model, checked against its manifest, which is read once.

    An unknown oracle is refused before anything is read.
    """
    arithmetic_of(oracle)
    if model is not None:
        loaded = load_quantized_model(model)
        folder, manifest = model.parent, _manifest_beside(model, loaded)
    else:
        folder, manifest = artifacts, read_manifest(artifacts)
        loaded = load_quantized_model(checked_file(artifacts, manifest, QUANTIZED_MODEL))
    return Selection(loaded, folder, manifest, oracle, optimize, fqbn, build)


def _manifest_beside(path: Path, model: QuantizedModel) -> Manifest | None:
    try:
        beside = read_manifest(path.parent)
    except ArtefactError:
        return None
    entry = beside.files.get(path.name)
    return beside if entry is not None and entry.sha256 == model.sha256 else None
