"""Samples from a CSV file: what is read, and what is refused before anything is made of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinehil.errors import ArtefactError
from sinehil_pipeline.config import DataRecipe
from sinehil_pipeline.data.csv_samples import MAX_CSV_BYTES, MAX_ROWS, parse_csv, read_csv
from sinehil_pipeline.data.samples import make_dataset, x_range
from sinehil_pipeline.recipes import load_recipe

BOOK = load_recipe("book")


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,-4e-1\n",
        "\ufeffx,y\r\n1,2\r\n3,-4e-1\r\n",
        'note,y,x\nfirst,2,1\n"a\nb",-0.4,3',
        '"x","y"\n1, 2\n\n3,-.4\n\n',
    ],
)
def test_columns_x_and_y_are_read(text: str) -> None:
    x, y = parse_csv(text.encode(), "f.csv")
    assert (x.tolist(), y.tolist()) == ([1, 3], [2, -0.4])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"f\.csv is empty"),
        ("\n\n", "empty|names?"),
        ("x,y\n", "has 0 rows"),
        ("x,y\n1,2\n", "has 1 rows"),
        ("1,2\n3,4\n", "first line of f.csv is '1,2'; it must name one column x and one y"),
        ("x;y\n1;2\n3;4\n", "first line of f.csv is 'x;y'"),
        ("x,x,y\n1,2,3\n", "it must name one column x"),
        ("x,y\n1,2\n1,nan\n", "line 3 of f.csv: y is 'nan', not a finite"),
        ("x,y\ninf,2\n1,2\n", "line 2 of f.csv: x is 'inf', not a finite"),
        ("x,y\n1,-Infinity\n1,2\n", "line 2 of f.csv: y is '-Infinity'"),
        ("x,y\n1,3.5e38\n1,2\n", r"y is '3\.5e38', not a finite float32"),
        ("x,y\n1,\n1,2\n", "line 2 of f.csv: y is ''"),
        ("x,y\n1\n1,2\n", "line 2 of f.csv: y is ''"),
        ("x,y\n1,2,3\n1,2\n", "line 2 of f.csv has more values"),
        ("x,y\n1,two\n", "line 2 of f.csv: y is 'two'"),
        ("x,y\n" + "1" * 5000 + ",2\n", "x is '1111"),
        ("x,y\n" + "1" * 200_000 + ",2\n", "is not a CSV file: field larger"),
        ('x,y\n"1,2\n', "is not a CSV file: unexpected end"),
        ("x,y\n1,2\n3,2\n4,2\n", r"y is 2\.0 in every row of f\.csv"),
        ("x,y\n1,2\n3,2.00000000001\n", "y is 2.0 in every row"),
        ("x,y\n1,2\n1,3\n", r"x is 1\.0 in every row"),
        ("x,y\n" + "1,2\n" * (MAX_ROWS + 1), "has more than 100000 rows"),
    ],
)
def test_files_that_cannot_be_learned_from(text: str, words: str) -> None:
    with pytest.raises(ArtefactError, match=words) as found:
        parse_csv(text.encode(), "f.csv")
    assert found.value.next_step and len(found.value.message) < 300


def test_text_that_is_not_utf_8() -> None:
    with pytest.raises(ArtefactError, match="is not UTF-8 text: byte 4"):
        parse_csv(b"x,y\n\xff", "f.csv")


def test_as_many_rows_as_are_allowed() -> None:
    text = "x,y\n" + "".join(f"{number},{number}\n" for number in range(MAX_ROWS))
    assert len(parse_csv(text.encode(), "f.csv")[0]) == MAX_ROWS


@given(st.binary(max_size=60))
def test_no_bytes_are_more_than_a_refusal(content: bytes) -> None:
    for start in (b"", b"x,y\n", b"x,y\n1,2\n"):
        try:
            x, y = parse_csv(start + content, "f.csv")
        except ArtefactError:
            continue
        assert np.isfinite([x, y]).all() and len(x) >= 2


def test_ten_million_rows_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"x,y\n")
        for _ in range(100):
            file.write(b"1,2\n" * 100_000)
    with pytest.raises(ArtefactError, match=f"more than {MAX_CSV_BYTES} bytes; 100000 rows"):
        read_csv(path)


def test_nor_is_what_has_no_end() -> None:
    with pytest.raises(ArtefactError, match="a pipe or a device"):
        read_csv(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["none.csv", ".", "a\0b"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_csv(tmp_path / name)


def test_the_rows_are_shuffled_split_and_all_there() -> None:
    text = "x,y\n" + "".join(f"{number},{-2 * number}\n" for number in range(100))
    recipe = replace(BOOK, samples=100, noise=0.0, data=DataRecipe(None, text.encode()))
    data = make_dataset(recipe)
    assert [len(split.x) for _, split in data.splits()] == [60, 20, 20]
    x = np.concatenate([split.x for _, split in data.splits()])
    assert sorted(x.tolist()) == list(range(100)) != x.tolist()
    assert all(np.array_equal(split.y, -2 * split.x) for _, split in data.splits())
    assert make_dataset(recipe).train.x.tobytes() == data.train.x.tobytes()
    assert make_dataset(replace(recipe, seed=1)).train.x.tobytes() != data.train.x.tobytes()
    assert x_range(recipe) == (0.0, 99.0)
