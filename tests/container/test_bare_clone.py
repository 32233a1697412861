"""README's promise: on a bare Debian a clone of this commit runs `make demo` and `make check`.

Only downloads and Go's compiled packages are kept between runs.
"""

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sinehil.base.tools import Finished, tail
from tests.container import site
from tests.container.engine import ROOT, Engine

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

USERS = ("root", "maker")  # maker has sudo
STEP_TIMEOUT_S = 1200.0
BARE = {"ca-certificates", "python3", "python3-venv"}  # of what our package lists name
OWNERS = "stat --format=%U artifacts artifacts/* reports/demo/report.html"
WITHOUT_XXD = """
set -e
sudo apt-get -qq purge xxd >/dev/null
sed -i /^xxd$/d docker/debian-packages.txt
rm -rf artifacts  # what is there byte for byte is not trained again, and needs no xxd
make demo
"""


@dataclass(frozen=True)
class Machine:
    """A running container with a clone in it."""

    engine: Engine
    name: str

    def bash(self, script: str) -> Finished:
        words = ("exec", self.name, "bash", "-c", f"cd sinehil\n{script}")
        return self.engine.docker(*words, check=False, timeout_s=STEP_TIMEOUT_S)


@dataclass(frozen=True)
class Journey:
    """What one user saw, in order, and where."""

    machine: Machine
    packages: Finished
    demo: Finished
    owners: Finished
    status: Finished
    check: Finished


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commit under test, without what is not committed."""
    folder = tmp_path_factory.mktemp("clone") / "sinehil"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def journeys(engine: Engine, base_image: str, clone: Path) -> Iterator[dict[str, Journey]]:
    """Both users' journeys, side by side: much of it is waiting for the network."""
    images = {user: bare_image(engine, base_image, user) for user in USERS}
    # Containers are removed before the pool waits for its threads, so that an interruption ends both at once.
    with ThreadPoolExecutor(len(USERS)) as pool, ExitStack() as stack:
        machines = {user: stack.enter_context(machine(engine, images[user], user, clone)) for user in USERS}
        started = {user: pool.submit(travel, machines[user]) for user in USERS}
        yield {user: journey.result() for user, journey in started.items()}


def bare_image(engine: Engine, base_image: str, user: str) -> str:
    tag = f"localhost/sinehil-bare:{user}"
    engine.build(Path(__file__).with_name("bare_clone"), tag, "--target", user, base_image=base_image)
    return tag


@contextmanager
def machine(engine: Engine, image: str, user: str, clone: Path) -> Iterator[Machine]:
    """A container whose first process does what init does, so that no zombies stay."""
    volumes = {"apt": "/var/cache/apt/archives", "downloads": "/downloads"}
    kept = [f"--volume=sinehil-test-{user}-{name}:{path}" for name, path in volumes.items()]
    options = ("--network=host", *site.run_options(engine.environment), *kept, f"--volume={clone}:/clone:ro")
    with engine.started(image, "bash", "-c", "sleep infinity & wait", options=options) as name:
        engine.docker("exec", name, "cp", "--recursive", "/clone", "sinehil")
        yield Machine(engine, name)


def travel(machine: Machine) -> Journey:
    return Journey(
        machine,
        packages=machine.bash("dpkg-query --show --showformat='${Package}\\n'"),
        demo=machine.bash("make demo"),
        owners=machine.bash(OWNERS),
        status=machine.bash("git status --porcelain"),
        check=machine.bash("make check"),
    )


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def journey(journeys: dict[str, Journey], user: str) -> Journey:
    return journeys[user]


def package_list(name: str) -> list[str]:
    lines = (ROOT / "docker" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def words(done: Finished) -> str:
    return tail(done.stdout + done.stderr)


def test_the_machine_is_bare(journey: Journey) -> None:
    """Or the tests below would show nothing."""
    lists = (ROOT / "docker").glob("debian-packages*.txt")
    ours = {line for path in lists for line in package_list(path.name)}
    assert len(ours) > 15 and ours & set(journey.packages.stdout.split()) == BARE


def test_demo_passes(journey: Journey) -> None:
    assert journey.demo.code == 0, words(journey.demo)
    wanted = {line for name in ("", "-build") for line in package_list(f"debian-packages{name}.txt")}
    missing = wanted - set(journey.packages.stdout.split())
    assert f"installing {len(missing)} Debian packages" in journey.demo.stderr
    assert re.search(r"^verify .* 790 compared, 0 mismatches$", journey.demo.stdout, re.MULTILINE)
    assert re.search(r"^PASS  790 of 790 outputs equal", journey.demo.stdout, re.MULTILINE)


def test_what_demo_made_belongs_to_the_user_and_is_ignored_by_git(journey: Journey, user: str) -> None:
    assert len(journey.owners.stdout.split()) > 5 and set(journey.owners.stdout.split()) == {user}
    assert (journey.status.code, journey.status.stdout) == (0, "")


def test_check_is_green(journey: Journey) -> None:
    assert journey.check.code == 0, words(journey.check)
    assert re.search(r"^\d{3,} passed", journey.check.stdout, re.MULTILINE), words(journey.check)


def test_demo_fails_and_says_why_when_a_package_is_not_listed(journeys: dict[str, Journey]) -> None:
    """On a machine where it has just passed: so a package that nobody lists is noticed."""
    done = journeys["maker"].machine.bash(WITHOUT_XXD)
    assert done.code != 0 and "PASS" not in done.stdout
    assert "xxd is not installed\n  next: install Debian's package" in done.stderr
