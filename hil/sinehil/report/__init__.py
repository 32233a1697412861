"""Making a verification readable: a page for people, JSON for scripts, JUnit for CI, lines for a terminal."""

from sinehil.report.json_report import result_json
from sinehil.report.summary import summary_lines
from sinehil.report.write import write_report

__all__ = ["result_json", "summary_lines", "write_report"]
