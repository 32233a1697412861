"""Escape control and invisible characters in untrusted text."""

import unicodedata

# Cc, Cf: control and bidirectional characters; Cs: undecodable bytes of a port's name; Co, Cn: no known glyph;
# Zl, Zp: line breaks in disguise. Each could hide or reorder what a reader sees, or is not valid XML.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """Return ``text`` with every character that has no shape of its own written as a backslash escape."""
    return "".join(_escape(char) if unicodedata.category(char) in _INVISIBLE else char for char in text)


def visible_lines(text: str) -> str:
    """Return the same for text of several lines, whose tabs and line ends stay."""
    return "\n".join(
        "\t".join(map(visible, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n")
    )


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
