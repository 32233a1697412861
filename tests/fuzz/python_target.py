"""A reader under atheris: ``python_target.py NAME [FOLDER...] [libFuzzer's flags]``; see readers.py and run.py."""

import os
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "kernels")]

import atheris  # noqa: E402

PACKAGES = ["sinehil", "sinehil_kernels", "sinehil_pipeline", "flatbuffers", "cobs", "tomllib", "csv"]


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=PACKAGES):
        import readers
    check = readers.CHECKS[name]
    for seed in readers.SEEDS[name]:
        check(seed)  # so that what is imported late has been
    begin = readers.forbid(broken)

    def one_input(data: bytes) -> None:
        try:
            check(bytes(data))
        except BaseException:
            readers.guarded_off().__enter__()  # what comes now is the traceback's
            raise

    atheris.Setup(sys.argv, one_input)
    begin()
    atheris.Fuzz()


def broken(what: str) -> None:
    """End at once and as a crash: an exception could be caught on its way."""
    traceback.print_stack()
    sys.stderr.write(f"BROKEN: a reader did {what}\n")
    sys.stderr.flush()
    os.abort()


if __name__ == "__main__":
    main()
