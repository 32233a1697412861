"""Renew tests/durations.json: ``python -m tests.durations JUNIT_XML...`` after a run with ``--junitxml``.

It holds the seconds that each file's tests took in one process, so that the longest files start first and no process
is left alone with one at the end. It decides about nothing else: a file that is not in it starts last.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TABLE = Path(__file__).with_suffix(".json")


def read_durations() -> dict[str, float]:
    """Return seconds by file, as ``tests/unit/test_cli.py``."""
    found: dict[str, float] = json.loads(TABLE.read_text())
    return found


def durations(reports: Iterable[Path]) -> dict[str, int]:
    """Return the seconds of each file of pytest's JUnit reports, the longest first."""
    total: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            total[case.get("classname", "").replace(".", "/") + ".py"] += float(case.get("time", "0"))
    return {file: round(total[file]) for file in sorted(total, key=total.__getitem__, reverse=True)}


if __name__ == "__main__":
    TABLE.write_text(json.dumps(durations(map(Path, sys.argv[1:])), indent=1) + "\n")
