"""Set up the standard logging module for -v and -vv: lines on stderr from all packages."""

import logging
import re
import sys

from sinehil.base.untrusted_text import visible_lines

PACKAGES = ("sinehil", "sinehil_audit", "sinehil_kernels", "sinehil_pipeline")
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
VERBOSE = re.compile("-v+|--verbose")


class LogHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever stderr is now; a bar on the terminal takes it over for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.stream = sys.stderr
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return a line with nothing in it that could move a cursor or hide something."""
        return visible_lines(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing: what cannot be written changes no verdict."""


def configure_logging(verbosity: int) -> None:
    """Show what happens from level INFO on, with a verbosity of 2 or more from DEBUG on; with 0 leave all as it is."""
    if verbosity < 1:
        return
    handler = LogHandler()
    handler.setFormatter(logging.Formatter("{relativeCreated:9.0f} ms  {name}: {message}", style="{"))
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = [handler]
        logger.setLevel(LEVELS[min(verbosity, len(LEVELS) - 1)])
        logger.propagate = False


def verbosity_first(arguments: list[str]) -> list[str]:
    """Return a command line with every -v before the command's name, so that it may be given anywhere."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    verbose = [word for word in arguments[:end] if VERBOSE.fullmatch(word)]
    return verbose + [word for word in arguments[:end] if not VERBOSE.fullmatch(word)] + arguments[end:]
