"""docker/sinehil.sh as a person calls it, in a copy of the tree under test."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.container.engine import ROOT, Engine

FIRST_BUILD_TIMEOUT_S = 1800.0
# What somebody who has only the machine's docker types, without our dockerd's peculiarities.
SIZE_LIMITS_BYTES = {"train": 1_450_000_000, "rig": 450_000_000}
TARGETS = tuple(SIZE_LIMITS_BYTES)


@dataclass(frozen=True)
class Wrapper:
    """A folder with the tree in it, and the environment in which docker/sinehil.sh works there."""

    tree: Path
    environment: Mapping[str, str]
    user: int | None = None
    groups: tuple[int, ...] = ()

    def __call__(self, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run docker/sinehil.sh to its end."""
        return self.call(self.tree / "docker/sinehil.sh", *words, cwd=cwd)

    def call(self, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run any program of the tree, in the tree unless ``cwd`` says otherwise."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=cwd or self.tree,
            env=dict(self.environment),
            user=self.user,
            group=self.user,
            extra_groups=self.groups if self.user else None,
            capture_output=True,
            text=True,
            timeout=FIRST_BUILD_TIMEOUT_S,
            check=False,
        )

    def as_user(self, user: int, *groups: int) -> "Wrapper":
        """Return the same for another user, in no group but ``groups``."""
        return replace(self, user=user, groups=groups)

    def having(self, **variables: str) -> "Wrapper":
        """Return the same with more in its environment."""
        return replace(self, environment={**self.environment, **variables})


def tracked_files(root: Path = ROOT) -> list[Path]:
    """Return what git knows of the tree: what an image may be made from."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def copy_tree(target: Path) -> Path:
    """Copy the tree under test, uncommitted changes included, to where files may be changed."""
    for source in tracked_files():
        destination = target / source.relative_to(ROOT)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, destination)
    return target


def wrapper_in(tree: Path, engine: Engine, base_image: str) -> Wrapper:
    """Return a wrapper that builds and runs with the engine of the tests."""
    own = (engine.environment.get("DOCKER_BUILD_FLAGS", ""), *engine.build_network_options)
    return Wrapper(
        tree,
        {**engine.environment, "BASE_IMAGE": base_image, "DOCKER_BUILD_FLAGS": " ".join(own)},
    )
