"""Show a verification: HTML page, JSON, JUnit, terminal. Imports verify and below."""

from pathlib import Path

from sinehil.base.files import write_atomically
from sinehil.report.json_report import report_json, result_json
from sinehil.report.junit import junit_xml
from sinehil.report.report_page import page_html
from sinehil.report.summary import summary_lines
from sinehil.verify.result import VerifyResult

__all__ = ["result_json", "summary_lines", "write_report"]


def write_report(result: VerifyResult, folder: Path) -> Path:
    """Write ``report.json``, ``junit.xml`` and, last, ``report.html``; return the page's path.

    Everything is rendered before anything is written. Raises ArtefactError if a file cannot be written.
    """
    files = {
        "report.json": report_json(result).encode(),
        "junit.xml": junit_xml(result),
        "report.html": page_html(result).encode(),
    }
    for name, data in files.items():
        write_atomically(folder / name, data)
    return folder / "report.html"
