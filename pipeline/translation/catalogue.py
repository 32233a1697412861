"""Read and update gettext catalogues of a document's texts and their translations."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from polib import POEntry, POFile, pofile

from sinehil.errors import ArtefactError

_LINE_WIDTH = 118


def read_catalogue(path: Path) -> dict[str, str]:
    """Return the translations that a .po file has, empty ones left out."""
    return {entry.msgid: entry.msgstr for entry in pofile(str(path)) if entry.msgstr and not entry.obsolete}


def require_all(texts: Iterable[str], translations: Mapping[str, str], path: Path) -> None:
    """Raise ArtefactError naming the first text that has no translation."""
    missing = [text for text in dict.fromkeys(texts) if text not in translations]
    if missing:
        raise ArtefactError(
            f"{len(missing)} blocks have no translation in {path}, the first is: {missing[0]!r}",
            "`make translations` has added them there: translate them, then run it again",
        )


def renewed_catalogue(path: Path, texts: Iterable[str], language: str) -> str:
    """Return the .po file with exactly ``texts``, in their order, as far as they are translated.

    While one is not, translations that nothing uses any more stay behind as obsolete ones, to be reused.
    """
    old = {entry.msgid: entry for entry in pofile(str(path))} if path.exists() else {}
    new = POFile(wrapwidth=_LINE_WIDTH)
    new.metadata = {
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    wanted = dict.fromkeys(texts)
    new.extend(POEntry(msgid=text, msgstr=old[text].msgstr if text in old else "") for text in wanted)
    if new.untranslated_entries():
        unused = (entry for text, entry in old.items() if text not in wanted)
        new.extend(POEntry(msgid=entry.msgid, msgstr=entry.msgstr, obsolete=True) for entry in unused)
    return f"{new}\n"
