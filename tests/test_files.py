"""Reading and writing files: what is not JSON, compression, and writing whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from drawing import draw_problem
from instance_documents import edited, street

import offload
from offload import InstanceError, OffloadError
from offload.files import dumps, read_bytes, write_bytes

TEXT = json.dumps(street(), indent=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "street.json"


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (TEXT.replace('"street",', '"street"', 1), "line 4 column 2", "Expecting ',' delimiter"),
        (TEXT[:100], r"line \d+ column \d+", "not JSON"),
        (TEXT + "x", f"line {TEXT.count(chr(10)) + 1} column 2", "not JSON: Extra data, got 'x'"),
        ("{'format': 1}", "line 1 column 2", "not JSON: Expecting property name"),
        ('{"format": "a\nb"}', "line 1 column 14", "not JSON: Invalid control character"),
        ('{"format": +1}', "line 1 column 12", r"not JSON: Expecting value, got '\+1}'"),
        ("", "line 1 column 1", "not JSON: Expecting value, got nothing"),
        (" \n ", "line 2 column 2", "not JSON: Expecting value, got nothing"),
        ("\0", "line 1 column 1", r"not JSON: Expecting value, got '\\x00'"),
    ],
)
def test_broken_json_is_named_by_line_and_column(
    file: Path, text: str, where: str, what: str
) -> None:
    file.write_text(text)
    with pytest.raises(InstanceError, match=f"street.json: {where}: .*{what}.*; mend the syntax"):
        offload.load(file)


def test_text_that_is_not_utf8_is_named_by_byte(file: Path) -> None:
    raw = TEXT.replace("street", "stra\xdfe").encode("latin-1")
    file.write_bytes(raw)
    where = f"not UTF-8 at byte {raw.index(0xDF)}"
    with pytest.raises(InstanceError, match=rf"street.json: \$: {where}, got b'.xdfe"):
        offload.load(file)
    file.write_bytes(TEXT.encode("utf-16"))
    with pytest.raises(InstanceError, match=r"not UTF-8 at byte 0, .*; save the file as UTF-8"):
        offload.load(file)


def test_a_byte_order_mark_is_no_error(file: Path) -> None:
    file.write_text(TEXT, encoding="utf-8-sig")
    assert offload.load(file) == offload.loads(TEXT)


@pytest.mark.parametrize("depth", [900, 2000, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for text in (nested, TEXT.replace('"street"', nested), TEXT.replace('"d"', nested)):
        with pytest.raises(InstanceError, match=r"nested too deeply|must be (a string|an object)"):
            offload.loads(text)


def test_lone_surrogates_are_refused() -> None:
    for text in (TEXT.replace("street", "\\ud800"), TEXT.replace('"cam"', '"\\udfff"')):
        with pytest.raises(InstanceError, match=r"must be valid Unicode, got '\\u"):
            offload.loads(text)
    with pytest.raises(InstanceError, match="not UTF-8 at byte"):
        offload.loads(TEXT.replace("street", "\ud800"))
    assert offload.loads(TEXT.replace("street", "\\ud83d\\ude00")).name == "\N{GRINNING FACE}"


def test_what_is_no_readable_file(tmp_path: Path) -> None:
    with pytest.raises(OffloadError, match=r"nowhere.json: no such file; check the path"):
        offload.load(tmp_path / "nowhere.json")
    with pytest.raises(OffloadError, match=r"is a folder; name a file in it"):
        offload.load(tmp_path)
    with pytest.raises(OffloadError, match=r"a\\x00b: cannot be read \(embedded null byte\)"):
        offload.load("a\0b")
    with pytest.raises(OffloadError, match=r"cannot be read \(File name too long\)"):
        offload.load(tmp_path / ("x" * 300))
    (tmp_path / "file").touch()
    with pytest.raises(OffloadError, match=r"cannot be read \(Not a directory\)"):
        offload.load(tmp_path / "file" / "x")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of the superuser, whom no permission binds."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_files_without_permission(file: Path, tmp_path: Path) -> None:
    file.write_text(TEXT)
    file.chmod(0)
    tmp_path.chmod(0o500)
    with as_nobody():
        with pytest.raises(
            OffloadError, match=r"street.json: cannot be read \(Permission denied\)"
        ):
            offload.load(file)
        with pytest.raises(OffloadError, match=r"x.json: cannot be written \(Permission denied\)"):
            write_bytes(tmp_path / "x.json", b"")
    tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == [file.name]


# -- compression -----------------------------------------------------------------------------------


def test_compressed_files_are_read_whatever_their_name(file: Path) -> None:
    file.write_bytes(gzip.compress(TEXT.encode()))
    assert offload.load(file) == offload.loads(TEXT)
    two = gzip.compress(TEXT[:50].encode()) + gzip.compress(TEXT[50:].encode())
    file.write_bytes(two)
    assert offload.load(file) == offload.loads(TEXT)


def test_broken_compression_is_named(file: Path) -> None:
    whole = gzip.compress(TEXT.encode())
    broken = [whole[:2], whole[:9], whole[:-1], whole[: len(whole) // 2], whole + b"x"]
    broken.append(whole[:60] + bytes([whole[60] ^ 255]) + whole[61:])
    for raw in broken:
        file.write_bytes(raw)
        with pytest.raises(
            OffloadError, match=r"street.json: not a whole gzip file \(.*\); copy it"
        ):
            offload.load(file)
    file.write_bytes(gzip.compress(b""))
    with pytest.raises(InstanceError, match="not JSON: Expecting value, got nothing"):
        offload.load(file)


def test_compressed_files_are_the_same_bytes_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(1_000_000_000, 1000)
    monkeypatch.setattr("time.time", lambda: next(clock))
    problem = offload.loads(TEXT)
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    problem.save(first)
    problem.save(second)
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()).decode() == dumps(problem)
    assert offload.load(first) == problem


# -- standard input and output ---------------------------------------------------------------------


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in (TEXT.encode(), gzip.compress(TEXT.encode())):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert offload.load("-") == offload.loads(TEXT)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[]")))
    with pytest.raises(InstanceError, match=r"^standard input: \$: must be an object, got \[\]"):
        offload.load("-")


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    problem = offload.loads(TEXT)
    problem.save("-")
    assert offload.loads(capsys.readouterr().out) == problem


# -- writing whole or not at all -------------------------------------------------------------------


def test_a_file_is_replaced_and_keeps_its_mode(file: Path) -> None:
    write_bytes(file, b"old")
    file.chmod(0o640)
    write_bytes(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(file.parent) == [file.name]


def test_a_new_file_gets_the_usual_mode(file: Path) -> None:
    write_bytes(file, b"new")
    other = file.with_name("other")
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_link_stays_a_link(file: Path) -> None:
    file.write_bytes(b"old")
    link = file.with_name("link.json.gz")
    link.symlink_to(file)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert gzip.decompress(file.read_bytes()) == b"new"


def test_a_failure_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    for nameless in (True, False):
        if not nameless:
            monkeypatch.delattr("os.O_TMPFILE", raising=False)
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OffloadError, match=r"cannot be written \(No space left on device\)"):
            write_bytes(file, b"new")
        monkeypatch.setattr("os.fsync", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            write_bytes(file, b"new")
        assert file.read_bytes() == b"old"
        assert os.listdir(file.parent) == [file.name]


def test_systems_without_nameless_files_are_served(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.O_TMPFILE", raising=False)
    write_bytes(file, b"one")
    write_bytes(file, b"two")
    assert file.read_bytes() == b"two"
    assert os.listdir(file.parent) == [file.name]


KILLED = """
import os, signal, sys
from offload.files import write_bytes
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write_bytes(sys.argv[1], b"new" * 1_000_000)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system has no nameless files")
def test_a_killed_process_leaves_the_old_file_and_nothing_else(file: Path) -> None:
    file.write_bytes(b"old")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old"
    assert os.listdir(file.parent) == [file.name]


def test_pipes_and_devices_are_written_as_they_are(tmp_path: Path) -> None:
    with as_nobody():  # who could not replace the device, were that tried
        write_bytes("/dev/null", b"gone")
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_bytes(pipe)))
    reader.start()
    write_bytes(pipe, b"through")
    reader.join()
    assert got == [b"through"]
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    problem = offload.loads(TEXT)
    with pytest.raises(OffloadError, match=r"none/x.json: cannot be written \(No such file"):
        problem.save(tmp_path / "none" / "x.json")
    with pytest.raises(OffloadError, match=r"cannot be written \(Is a directory\)"):
        problem.save(tmp_path)
    with pytest.raises(OffloadError, match=r"cannot be written \(embedded null byte\)"):
        problem.save(tmp_path / "a\0b")
    longest = tmp_path / ("x" * 255)
    problem.save(longest)
    assert os.listdir(tmp_path) == [longest.name]


# -- there and back --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_an_instance_survives_save_and_load(tmp_path: Path, seed: int) -> None:
    problem = draw_problem(seed)
    for name in ("a.json", "a.json.gz"):
        offload.save(problem, tmp_path / name)
        again = offload.load(tmp_path / name)
        assert again == problem
        assert again.digest == problem.digest


def test_defaults_are_left_out() -> None:
    assert json.loads(dumps(offload.Problem())) == {"format": "offload-instance/1"}
    written = json.loads(dumps(offload.loads(TEXT)))
    tree = street()
    assert written == edited(
        tree, {"graph.tasks.3": {"id": "count", "work": 5e9, "divisible": True}}
    )
    assert written["graph"]["edges"][4] == {"src": "count", "dst": "show"}


def on_one_line(problem: offload.Problem) -> str:
    return json.dumps(json.loads(dumps(problem)), ensure_ascii=False) + "\n"


def test_one_line_says_the_same_as_many() -> None:
    names = ['"', "\\", "%s", "{}", "\n", "\u5317", "\U0001f600", "\x7f", " "]
    tasks = [offload.Task(name, work=1e15, time={name: 1e15 - 1}, release=0.1) for name in names]
    odd = offload.Problem(
        name='"',
        network=offload.Network([offload.Node(name, tags=[name]) for name in names]),
        graph=offload.Graph(tasks),
    )
    for problem in (odd, offload.Problem(), offload.loads(TEXT), *map(draw_problem, range(60))):
        assert dumps(problem, indent=None) == on_one_line(problem)


def test_large_instances_are_written_without_indents(file: Path) -> None:
    tasks = [offload.Task(f"t{i}", work=i) for i in range(1001)]
    problem = offload.Problem(
        network=offload.Network([offload.Node("n")]), graph=offload.Graph(tasks)
    )
    problem.save(file)
    assert file.read_text().count("\n") == 1
    assert offload.load(file) == problem


def test_texts_are_written_unescaped(file: Path) -> None:
    name = 'caf\u00e9 \u5317\u4eac \N{GRINNING FACE} "quoted" \\ \x7f \u2028'
    problem = offload.Problem(name=name, network=offload.Network([offload.Node(name)]))
    problem.save(file)
    assert offload.load(file) == problem
    assert "caf\u00e9 \u5317\u4eac" in file.read_text(encoding="utf-8")
