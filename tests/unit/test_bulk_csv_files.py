"""Files that people give us to import: ours, Twikey's, a spreadsheet's, zips, and what is none of these."""

import csv
import io
import random
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.bulk.append import AppendFile, TooShort, csv_line
from workers.bulk.bundle import Bundle, pack
from workers.bulk.csv_files import Allowance, Limits, Unreadable, lines, tables
from workers.bulk.parts import PART_BYTES, Parts, Written, number_of, paths

cell = st.text(max_size=20)


def read(content: bytes) -> list[tuple[int, list[str]]]:
    return [(line.number, list(line.cells)) for line in lines("a.csv", io.BytesIO(content), Allowance())]


# -- one file -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(cell, min_size=2, max_size=4).filter(any), max_size=8))
def test_what_is_written_is_read_back_exactly(rows: list[list[str]]) -> None:
    # The first line decides what is between cells; ours always names the columns.
    content = csv_line(["customerNumber", "email"]) + b"".join(map(csv_line, rows))

    assert [cells for _, cells in read(content)][1:] == rows


@given(st.lists(cell, min_size=1, max_size=5))
def test_lines_are_written_as_any_csv_reader_understands_them(cells: list[str]) -> None:
    written = csv_line(cells).decode()

    assert written.endswith("\r\n")
    assert next(csv.reader(io.StringIO(written, newline=""), strict=True)) == cells


@pytest.mark.parametrize(
    "content",
    [
        "customerNumber,email\r\n7,a@b.be\r\n",
        "\ufeffcustomerNumber,email\n7,a@b.be\n",
        "customerNumber;email\r\n7;a@b.be\r\n",
        '"customerNumber";"email"\n7;a@b.be',
        "customerNumber\temail\r\n\r\n7\ta@b.be\r\n",
    ],
)
def test_what_spreadsheets_make_of_it_is_understood(content: str) -> None:
    assert [cells for _, cells in read(content.encode())] == [["customerNumber", "email"], ["7", "a@b.be"]]


def test_rows_are_named_by_the_line_on_which_they_begin() -> None:
    found = read(b'customerNumber,companyName\r\n1,"De\r\nHoek"\r\n\r\n2,Tarwe\r\n')

    assert found == [(1, ["customerNumber", "companyName"]), (2, ["1", "De\r\nHoek"]), (5, ["2", "Tarwe"])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("customerNumber,l\n7,Zoë\n".encode("cp1252"), "is not UTF-8"),
        (b'customerNumber,l\n7,"nl\n', "line 2: a quote"),
        (b'customerNumber,l\n7,"n"l\n', "line 2: a quote"),
        (b'customerNumber,l\n7,"' + b"x" * 200_000, "a quote"),
        (b"customerNumber,l\n" + b"," * 1_000_000, "line 2: it is too long"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_with_the_line(content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(content)


# -- zips -----------------------------------------------------------------------------------------------------------------


def zipped(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def names(path: Path, allowance: Allowance | None = None) -> list[str]:
    with tables(path, allowance or Allowance()) as found:
        return [name for name, rows in found if list(rows) is not None]


def test_the_csv_files_of_a_zip_are_read_and_nothing_else(tmp_path: Path) -> None:
    content = b"customerNumber,l\r\n"
    path = zipped(
        tmp_path / "all.zip",
        {
            "customers-0001.csv": content,
            "../../etc/customers-0002.CSV": content,
            "problems.csv": content,
            "summary.txt": b"",
            "__MACOSX/._customers-0001.csv": b"\x00",
        },
    )

    assert names(path) == ["all.zip/customers-0001.csv", "all.zip/customers-0002.CSV"]


def test_a_zip_that_claims_too_much_is_refused_unread(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"a.csv": b"0" * 2_000})

    with (
        tables(path, Allowance(Limits(bytes=1_000))) as found,
        pytest.raises(Unreadable, match="1,000 bytes, unpacked"),
    ):
        next(found)


def test_what_one_file_took_is_gone_for_the_next(tmp_path: Path) -> None:
    content = b"customerNumber,l\r\n7,nl\r\n"
    one, two = zipped(tmp_path / "one.zip", {"a.csv": content}), tmp_path / "two.csv"
    two.write_bytes(content)

    for limits, words in (
        (Limits(bytes=2 * len(content) - 1), "47 bytes, unpacked"),
        (Limits(rows=1), "1 rows"),
        (Limits(tables=1, instead="Zip them."), "1 files. Zip them."),
    ):
        allowance = Allowance(limits)
        assert names(one, allowance) == ["one.zip/a.csv"]
        with pytest.raises(Unreadable, match=f"With two.csv it is more than can come in at once, {words}"):
            names(two, allowance)
    assert names(one, same := Allowance(Limits(bytes=2 * len(content), rows=2, tables=2)))
    assert names(two, same)


def test_empty_rows_are_taken_from_the_allowance_too(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"customerNumber,l\r\n" + b"\r\n" * 11)

    with pytest.raises(Unreadable, match="10 rows"):
        names(tmp_path / "empty.csv", Allowance(Limits(rows=10)))


def test_the_name_of_a_file_in_a_zip_which_every_row_carries_is_cut(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"n" * 60_000 + ".csv": b"customerNumber,l\r\n"})

    assert names(path) == ["a.zip/" + "n" * 76 + ".csv"]


def test_a_zip_without_a_table_and_a_broken_one_are_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a.csv": random.Random(0).randbytes(5_000)})
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole.read_bytes().replace(whole.read_bytes()[100:200], b"x" * 100))

    with pytest.raises(Unreadable, match="no CSV"):
        names(zipped(tmp_path / "none.zip", {"summary.txt": b""}))
    with pytest.raises(Unreadable):
        names(broken)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_packed_in_a_rare_way_is_refused_whole_or_damaged(tmp_path: Path, compression: int) -> None:
    path = zipped(tmp_path / "rare.zip", {"a.csv": b"customerNumber,l\r\n" * 500}, compression)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(path.read_bytes().replace(path.read_bytes()[60:80], b"\xff" * 20))

    for one in (path, damaged):
        with pytest.raises(Unreadable, match="packed in an unusual way; unpack it"):
            names(one)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_that_is_damaged_anywhere_is_read_or_refused_in_words(tmp_path: Path, compression: int) -> None:
    chance = random.Random(7)
    rows = b"".join(b"%d,nl\r\n" % chance.randrange(10**9) for _ in range(20))
    whole = zipped(tmp_path / "é.zip", {"é.csv": b"customerNumber,l\r\n" + rows}, compression).read_bytes()
    refused = []

    for place in range(2, len(whole)):
        (tmp_path / "damaged.zip").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            names(tmp_path / "damaged.zip")
        except Unreadable as unreadable:
            refused.append(str(unreadable))

    assert len(refused) > 100
    assert all("None" not in sentence for sentence in refused)


def test_a_plain_file_is_a_table_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"customerNumber,l\r\n7,nl\r\n")

    with tables(tmp_path / "mine.csv", Allowance()) as found:
        assert [(name, [line.cells for line in rows]) for name, rows in found] == [
            ("mine.csv", [["customerNumber", "l"], ["7", "nl"]])
        ]


def test_a_file_of_which_only_the_beginning_was_wanted_is_closed_in_peace(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"customerNumber,l\r\n7,nl\r\n")

    with tables(tmp_path / "mine.csv", Allowance()) as found:
        _, rows = next(found)
        assert next(rows).number == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        names(tmp_path / "nothing.csv")


# -- what exports stand on ------------------------------------------------------------------------------------------------


def test_what_was_not_committed_is_cut_off(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "a", length=0)
    file.write(b"one\n")
    committed = file.sync()
    file.write(b"two, half writ")
    file.close()

    again = AppendFile(tmp_path / "a", length=committed)
    again.write(b"two\n")
    again.sync()
    again.close()

    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"


def test_a_file_that_lost_what_was_committed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"on")

    with pytest.raises(TooShort):
        AppendFile(tmp_path / "a", length=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=60), max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(100, 400))
def test_parts_hold_every_row_once_whole_and_small_enough_however_often_one_goes_on(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], stops: list[int], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    header, written, done = ("number", "text"), Written(), 0
    for stop in [*sorted(stops), len(texts)]:
        parts = Parts(folder, header, written, limit=limit + 400)
        for number in range(done, min(stop, len(texts))):
            parts.add((str(number), texts[number]))
        written, done = parts.sync(), max(done, min(stop, len(texts)))
        parts.add(("lost", "never committed"))
        parts.close()
    last = Parts(folder, header, written, limit=limit + 400)
    last.finish()
    last.close()

    rows = []
    for path in paths(folder):
        content = path.read_bytes()
        assert len(content) <= limit + 400
        first, *others = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        assert tuple(first) == header
        rows += others
    assert rows == [[str(number), text] for number, text in enumerate(texts)]
    assert [number_of(path) for path in paths(folder)] == list(range(1, written.part + 1 or 2)) or not texts


def test_a_row_tells_the_part_and_the_line_it_stands_on(tmp_path: Path) -> None:
    parts = Parts(tmp_path, ("a",), limit=20)

    places = [parts.add((word,)) for word in ("onetwo", "three", "four")]
    parts.sync()
    parts.close()

    for word, (part, line) in zip(("onetwo", "three", "four"), places, strict=True):
        assert (tmp_path / f"customers-{part:04}.csv").read_text().splitlines()[line - 1] == word


def test_a_row_that_fits_into_no_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="larger than a whole part"):
        Parts(tmp_path, ("a",)).add(("x" * PART_BYTES,))


def test_a_bundle_holds_its_files_and_their_checksums(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\r\n" * 300_000)
    asked: list[int] = []

    with Bundle(tmp_path / "b.zip", at=datetime(2026, 11, 25, tzinfo=UTC)) as bundle:
        packed = pack(bundle, [tmp_path / "a.csv"], lambda: asked.append(1))
        bundle.add_text("t.txt", "ë")

    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.read("a.csv") == b"a\r\n" * 300_000
        assert archive.read("t.txt").decode() == "ë"
    assert (packed[0].lines, packed[0].sha256) == (300_000, sha256(b"a\r\n" * 300_000).hexdigest())
    assert asked == [1]
