"""py-irt's JSON lines."""

import re
from pathlib import Path

import pytest

from difficulty_model.errors import InputError
from difficulty_model.readers import (
    read_py_irt,
)
from outcomes import members
from tables import write


def test_py_irt_reads_lines_of_subjects(tmp_path: Path):
    path = write(tmp_path / "t.jsonlines", "\n".join([
        '{"subject_id": "x", "responses": {"i": 1, "j": 0}}', "",
        '{"subject_id": "y", "responses": {"j": true, "k": null, "i": 0.0}}',
        '{"subject_id": "x", "responses": {"i": 0}}',
    ]))
    responses = read_py_irt(path)
    assert members(responses) == {"t": ["i", "j", "k"]}
    assert responses.models == ["x", "y"]
    assert responses.right.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert responses.shown.tolist() == [[2, 1, 0], [1, 1, 0]]
    twice = read_py_irt([path, path], test_sets=["a", "b"])
    assert members(twice) == {"a": ["i", "j", "k"], "b": ["i", "j", "k"]}


GOOD_LINE = '{"subject_id": "x", "responses": {"i": 1}}\n'


@pytest.mark.parametrize(("line", "message"), [
    ('{"subject_id": "x", "responses": {"i": 1', "not readable as JSON"),
    ("[" * 100_000, "not readable as JSON"),
    ('["x"]', "not a subject with responses"),
    ('{"subject_id": 3, "responses": {"i": 1}}', "not a subject with responses"),
    ('{"subject_id": "x", "responses": [1]}', "not a subject with responses"),
    ('{"subject_id": "x", "responses": {"i": 2}}', "answers 2 on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": 0.5}}', "answers 0.5 on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": NaN}}', "answers nan on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": "1"}}', "answers '1' on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": [1]}}', "answers .* on image 'i'"),
    ('{"subject_id": "x", "responses": {"i": 1, "i": 0}}', "'i' stands 2 times"),
])
def test_py_irt_names_the_line_that_is_none(tmp_path: Path, line: str, message: str):
    path = write(tmp_path / "t.jsonl", GOOD_LINE + line + "\n" + GOOD_LINE)
    with pytest.raises(InputError, match=rf"line 2 of {re.escape(str(path))}.*{message}"):
        read_py_irt(path)


def test_py_irt_refuses_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "t.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable as UTF-8"):
        read_py_irt(tmp_path / "t.jsonl")
