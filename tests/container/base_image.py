"""The image that ours are built on: Debian's slim one, or a stand-in made by debootstrap where no registry answers."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from sinehil.base.tools import Finished, run, tail
from sinehil.errors import ToolError
from tests.container.daemon import ADMIN_PATH
from tests.container.engine import Engine
from tests.container.refusal import CannotRunError

SUITE = "bookworm"
PUBLIC = f"debian:{SUITE}-slim"
STAND_IN = f"localhost/sinehil-base:{SUITE}"
PULL_TIMEOUT_S = 60.0
BOOTSTRAP_TIMEOUT_S = 600.0
# What Debian's slim images leave out. The copyright files stay: they are the licences of what is in an image.
EMPTIED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
)
REMOVED = ("etc/resolv.conf", "etc/hostname")
# How Debian's slim images treat what is installed later. Without these, images on the stand-in would be larger.
SETTINGS = {
    "etc/apt/apt.conf.d/docker-clean": """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
""",
    "etc/apt/apt.conf.d/docker-lists": 'Acquire::GzipIndexes "true";\nAcquire::Languages "none";\n',
    "etc/dpkg/dpkg.cfg.d/docker": """\
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
""",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}


def provide_base_image(engine: Engine) -> str:
    """Return a base image that runs; raise CannotRunError if none can be had or run.

    What is there already comes first, so that the layers built on it stay in the cache.
    """
    image = _present(engine) or _pulled(engine) or _bootstrapped(engine)
    done = engine.run(image, "true", options=("--network", "none"), check=False)
    if done.code != 0:
        raise CannotRunError(
            f"a container engine answers, but it cannot run a container: {tail(done.stderr, 1)}"
        )
    return image


def _present(engine: Engine) -> str | None:
    for image in (PUBLIC, STAND_IN):
        if engine.docker("image", "inspect", image, check=False).code == 0:
            return image
    return None


def _pulled(engine: Engine) -> str | None:
    with contextlib.suppress(ToolError):  # took too long
        if engine.docker("pull", "--quiet", PUBLIC, check=False, timeout_s=PULL_TIMEOUT_S).code == 0:
            return PUBLIC
    return None


def _bootstrapped(engine: Engine) -> str:
    program = shutil.which("debootstrap", path=ADMIN_PATH)
    if os.getuid() != 0 or program is None:
        raise CannotRunError(f"{PUBLIC} cannot be pulled, and only root with debootstrap can make a stand-in")
    with tempfile.TemporaryDirectory(dir=engine.state) as name:
        root, archive = Path(name) / "root", Path(name) / "root.tar"
        # Its mounts are its own, so that nothing is mounted below a folder that is about to be removed.
        own_mounts = ("unshare", "--mount", "--propagation", "private")
        bootstrap = (*own_mounts, program, "--variant=minbase", SUITE, root)
        _must(run(bootstrap, timeout_s=BOOTSTRAP_TIMEOUT_S), "debootstrap")
        slim(root)
        _must(run(("tar", "--numeric-owner", "--exclude=./dev/*", "-C", root, "-cf", archive, ".")), "tar")
        engine.docker("import", "--change", 'CMD ["bash"]', archive, STAND_IN)
    return STAND_IN


def slim(root: Path) -> None:
    """Make a bootstrapped Debian below ``root`` what its slim image is."""
    for folder in EMPTIED:
        for path in [path for path in (root / folder).rglob("*") if not path.is_dir()]:
            path.unlink()
    for path in [path for path in (root / "usr/share/doc").rglob("*") if not path.is_dir()]:
        if path.name != "copyright":
            path.unlink()
    for name in REMOVED:
        (root / name).unlink(missing_ok=True)
    for name, text in SETTINGS.items():
        (root / name).write_text(text)
    sources = root / "etc/apt/sources.list"
    sources.write_text(all_suites(sources.read_text()))
    (root / "usr/sbin/policy-rc.d").chmod(0o755)


def all_suites(debootstraps: str) -> str:
    """Return debootstrap's one source with the updates and the security suite beside it, as Debian's images have."""
    deb, mirror, suite, *components = debootstraps.split()
    suites = (
        (mirror, suite),
        (mirror, f"{suite}-updates"),
        (f"{mirror.rstrip('/')}-security", f"{suite}-security"),
    )
    return "".join(f"{deb} {uri} {name} {' '.join(components)}\n" for uri, name in suites)


def _must(done: Finished, what: str) -> None:
    if done.code != 0:
        words = tail(done.stdout + done.stderr, 1)
        raise CannotRunError(f"{PUBLIC} cannot be pulled, and {what} could not make a stand-in: {words}")
