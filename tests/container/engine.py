"""The container engine of the tests: one that answers, else a dockerd of our own."""

import contextlib
import fcntl
import os
import shlex
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinehil.base.folders import cache_dir
from sinehil.base.tools import Finished, run, tail
from sinehil.errors import ToolError
from tests.container import daemon, site
from tests.container.refusal import CannotRunError

ROOT = Path(__file__).parents[2]
LABEL = "sinehil.test"
DEBIAN_CLIENT = "/usr/bin/docker"
PROBE_TIMEOUT_S = 60.0
PROBE = f"FROM scratch\nLABEL {LABEL}=probe\n"


@dataclass(frozen=True)
class Engine:
    """A container engine that builds and runs. ``environment`` makes any program's ``docker`` talk to it."""

    client: str
    environment: Mapping[str, str]
    state: Path
    is_ours: bool

    @property
    def build_network_options(self) -> tuple[str, ...]:
        """Where there is no bridge, as in our own dockerd, a build uses the machine's network."""
        words = ("network", "ls", "--quiet", "--filter", "driver=bridge")
        return () if self.docker(*words).stdout else ("--network", "host")

    @property
    def label(self) -> str:
        """The label of every container that tests start; the value tells the machine's other runs apart."""
        return f"{LABEL}={self.state}"

    def docker(self, *words: object, check: bool = True, timeout_s: float = 300.0) -> Finished:
        """Run the client to its end; with ``check``, anything but exit code 0 is an AssertionError."""
        command = [self.client, *map(str, words)]
        done = run(command, env=self.environment, timeout_s=timeout_s)
        assert done.code == 0 or not check, (
            f"{shlex.join(command)}: exit code {done.code}\n{tail(done.stdout + done.stderr)}"
        )
        return done

    def build(
        self, context: Path, tag: str, *options: object, base_image: str, timeout_s: float = 1800.0
    ) -> Finished:
        """Build ``context`` as ``tag``, with this site's network settings.

        Once again if it fails: now and then BuildKit in Docker 20.10 loses the connection by which it asks the client
        for a secret ("rpc error: code = Internal desc = unexpected EOF"), and goes on from what is done.
        """
        words = (*self.build_network_options, *site.build_options(self.environment, self.state))
        base = ("--build-arg", f"BASE_IMAGE={base_image}")
        command = ("build", *words, *base, "--tag", tag, *options, context)
        done = self.docker(*command, check=False, timeout_s=timeout_s)
        return done if done.code == 0 else self.docker(*command, timeout_s=timeout_s)

    def run(
        self,
        image: str,
        *command: object,
        options: Sequence[object] = (),
        check: bool = True,
        timeout_s: float = 300.0,
    ) -> Finished:
        """Run ``command`` in a container that is gone afterwards, also when this is interrupted."""
        with self._container() as identity:
            words = ("--rm", *identity, *options, image, *command)
            return self.docker("run", *words, check=check, timeout_s=timeout_s)

    @contextlib.contextmanager
    def started(self, image: str, *command: object, options: Sequence[object] = ()) -> Iterator[str]:
        """Start a container, yield its name for ``docker exec``, ``stop`` and the like, remove it."""
        with self._container() as identity:
            self.docker("run", "--detach", *identity, *options, image, *command)
            yield identity[1]

    @contextlib.contextmanager
    def _container(self) -> Iterator[tuple[str, ...]]:
        name = f"sinehil-test-{uuid.uuid4().hex[:12]}"
        try:
            yield ("--name", name, "--label", self.label)
        finally:
            self.docker("rm", "--force", "--volumes", name, check=False)

    def remove_leftovers(self) -> None:
        """Remove the containers of an earlier run that was killed."""
        names = self.docker("ps", "--all", "--quiet", "--filter", f"label={self.label}").stdout.split()
        if names:
            self.docker("rm", "--force", "--volumes", *names)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return where our engine keeps images between runs, and what only one run at a time may use."""
    own = environ.get("SINEHIL_CONTAINER_STATE")
    folder = Path(own) if own else cache_dir() / "containers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


@contextlib.contextmanager
def open_engine(state: Path, environ: Mapping[str, str]) -> Iterator[Engine]:
    """Yield an engine; raise CannotRunError if there is none and none can be started.

    Waits while another run uses the same ``state``.
    """
    with (state / "lock").open("w") as lock, contextlib.ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon.end_left_behind(state)
        is_ours = not answers(environ)
        if is_ours:
            install_engine(environ)
            is_ours = not answers(environ)  # on some machines the package starts a service
        if is_ours:
            environ = {**environ, "DOCKER_HOST": stack.enter_context(daemon.own_daemon(state))}
        engine = _with_buildkit(state, environ, is_ours)
        engine.remove_leftovers()
        yield engine


def clients(environ: Mapping[str, str]) -> list[str]:
    """Return the docker clients to try: the one on PATH, then Debian's, whose BuildKit needs no plugin."""
    on_path = shutil.which("docker", path=environ.get("PATH", os.defpath))
    return [client for client in dict.fromkeys((on_path, DEBIAN_CLIENT)) if client and Path(client).exists()]


def answers(environ: Mapping[str, str]) -> bool:
    """Return whether any client reaches the engine that DOCKER_HOST or the default names."""
    for client in clients(environ):
        with contextlib.suppress(ToolError):
            if run([client, "version"], env=environ, timeout_s=PROBE_TIMEOUT_S).code == 0:
                return True
    return False


def install_engine(environ: Mapping[str, str]) -> None:
    """Install Debian's engine where that is allowed; raise CannotRunError where not.

    Only here is known that no engine answers, so this is no step of the Makefile.
    """
    if os.getuid() != 0:
        raise CannotRunError("no container engine answers, and only root can start one")
    script, packages = ROOT / "docker/install-debian-packages.sh", "docker/debian-packages-container-test.txt"
    try:
        done = run([script, ROOT / packages], env=environ, timeout_s=600.0)
    except ToolError as error:
        raise CannotRunError(
            f"no container engine answers, and none could be installed: {error.message}"
        ) from error
    if done.code != 0:
        raise CannotRunError(f"no container engine answers, and none could be installed: {tail(done.stderr)}")


def _with_buildkit(state: Path, environ: Mapping[str, str], is_ours: bool) -> Engine:
    """Return the engine with the first client that can build as our Dockerfiles demand."""
    probe = state / "probe"
    probe.mkdir(exist_ok=True)
    (probe / "Dockerfile").write_text(PROBE)
    words = "no docker client"
    for client in clients(environ):
        engine = Engine(client, _environment(state, environ, client), state, is_ours)
        done = engine.docker("build", "--quiet", probe, check=False, timeout_s=PROBE_TIMEOUT_S)
        if done.code == 0:
            return engine
        words = tail(done.stderr, 1)
    raise CannotRunError(f"a container engine answers, but it cannot build with BuildKit: {words}")


def _environment(state: Path, environ: Mapping[str, str], client: str) -> dict[str, str]:
    """Return ``environ`` in which ``docker`` is ``client``."""
    link = state / "bin" / "docker"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(client)
    path = f"{link.parent}:{environ.get('PATH', os.defpath)}"
    return {**environ, "PATH": path, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
