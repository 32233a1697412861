"""SPDX expressions: what satisfies one, and what is none."""

import pytest

from supply.spdx import satisfied

FREE = {"MIT", "Apache-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"}.__contains__


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "(MIT)",
        "MIT OR Proprietary",
        "Proprietary OR MIT",
        "MIT AND Apache-2.0",
        "Proprietary AND Other OR MIT",  # AND binds first
        "(Proprietary OR MIT) AND Apache-2.0",
        "MIT WITH Any-exception",
        "GPL-2.0-or-later WITH Classpath-exception-2.0 AND MIT",
    ],
)
def test_satisfied(expression: str) -> None:
    assert satisfied(expression, FREE)


@pytest.mark.parametrize(
    "expression",
    [
        "Proprietary",
        "mit",
        "MIT AND Proprietary",
        "MIT AND (Proprietary OR Other)",
        "Apache-2.0 AND Proprietary OR Other",
        "GPL-2.0-or-later",
        "GPL-2.0-or-later WITH Other-exception",
    ],
)
def test_not_satisfied(expression: str) -> None:
    assert not satisfied(expression, FREE)


@pytest.mark.parametrize(
    "text",
    ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "a, b", "MIT OR OR MIT", "()"],
)
def test_not_an_expression(text: str) -> None:
    with pytest.raises(ValueError):
        satisfied(text, FREE)
