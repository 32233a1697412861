"""Check the licences in a bill of materials: ``python3 -m supply.check_licences [--list] SBOM``.

Exit code 1 and one line for each package that is not allowed or not understood. ``--list`` prints them all.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from supply.licences import Policy, parse_policy, problems, spdx
from supply.sbom import Component, components

FOLDER = Path(__file__).resolve().parent.parent


def read_policy(folder: Path = FOLDER) -> Policy:
    """Return the policy of this repository."""
    allowed, known = folder / "licences-allowed.txt", folder / "licences-known.toml"
    return parse_policy(allowed.read_text(), known.read_text())


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print every package with its licences")
    parser.add_argument("sbom", type=Path, help="a CycloneDX file in JSON")
    options = parser.parse_args(arguments)
    policy = read_policy()
    try:
        found = components(json.loads(options.sbom.read_text()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sinehil: {options.sbom}: {error}\n")
        return 1
    wrong = problems(found, policy)
    if options.list and not wrong:
        sys.stdout.writelines(f"{line}\n" for line in listing(found, policy))
    sys.stderr.writelines(f"sinehil: {line}\n" for line in wrong)
    sys.stderr.write(f"{len(found)} packages, {len(wrong)} problems\n")
    return 1 if wrong else 0


def listing(found: Sequence[Component], policy: Policy) -> list[str]:
    """Return a line for each package: kind, name, version, licences."""
    return [f"{component}: {', '.join(spdx(component, policy))}" for component in found]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
