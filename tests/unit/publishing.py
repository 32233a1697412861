"""A run for tests to break: FOLDER HOW AT. It publishes NEW_FILES, and the AT-th rename does not get through.

HOW: ``kill`` ends the process there, ``kill-late`` when all is moved; ``once`` makes that rename fail, ``on`` that one
and all after it; ``never`` prints how many there are. The rest is real: an audit hook only decides whether the next
system call is reached.
"""

import errno
import os
import signal
import sys
from pathlib import Path

from sinehil.base.staging import staged_folder
from sinehil.errors import ArtefactError

NEW_FILES = {"manifest.json": "new", "a": "new a", "sub/b": "new b", "made/c": "new c"}
count = 0


def at_rename(event: str, _: object) -> None:
    global count
    if event == "shutil.rmtree" and sys.argv[2] == "kill-late":
        os.kill(os.getpid(), signal.SIGKILL)
    if event != "os.rename":
        return
    count += 1
    how, at = sys.argv[2], int(sys.argv[3])
    if how == "kill" and count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    if (how == "once" and count == at) or (how == "on" and count >= at):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def main() -> None:
    sys.addaudithook(at_rename)
    try:
        with staged_folder(Path(sys.argv[1]), last="manifest.json") as staging:
            for name, text in NEW_FILES.items():
                (staging / name).parent.mkdir(exist_ok=True)
                (staging / name).write_text(text)
    except ArtefactError as error:
        sys.exit(f"{error.message}\n{error.next_step}")
    sys.stdout.write(f"{count}\n")


if __name__ == "__main__":
    main()
