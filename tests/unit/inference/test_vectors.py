"""Files of vectors: what goes in comes out, and half a file never appears."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from openclap.errors import ConfigError, DataError, IdentityError
from openclap.inference.vectors import Vectors, read_vectors, writing

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def _write(path, stop_after=None):
    with writing(path) as file:
        for first in (0, 2):
            file.add(ROWS[first : first + 2], {"path": [f"{first}.wav", f"{first + 1}.wav"], "start_s": (0.0, 1.5)})
            if stop_after == first:
                raise RuntimeError("the disk is full")
        file.describe("abc")


def test_an_npz_file_holds_vectors_columns_and_the_identity(tmp_path):
    _write(tmp_path / "new" / "vectors.npz")
    with np.load(tmp_path / "new" / "vectors.npz") as stored:
        np.testing.assert_array_equal(stored["vectors"], ROWS)
        assert stored["path"].tolist() == ["0.wav", "1.wav", "2.wav", "3.wav"]
        assert stored["start_s"].tolist() == [0.0, 1.5, 0.0, 1.5]
        assert str(stored["identity"]) == "abc"


def test_a_parquet_file_holds_the_same(tmp_path):
    _write(tmp_path / "vectors.parquet")
    table = pq.read_table(tmp_path / "vectors.parquet")
    assert table["vector"].to_pylist() == ROWS.tolist()
    assert table["path"].to_pylist() == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert pq.read_metadata(tmp_path / "vectors.parquet").metadata[b"openclap.identity"] == b"abc"


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_after_an_error_there_is_neither_a_file_nor_a_part_of_one(suffix, tmp_path):
    with pytest.raises(RuntimeError):
        _write(tmp_path / f"vectors{suffix}", stop_after=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_an_error_leaves_the_file_of_before(suffix, tmp_path):
    path = tmp_path / f"vectors{suffix}"
    _write(path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        _write(path, stop_after=2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_no_rows_are_a_file_too(suffix, tmp_path):
    with writing(tmp_path / f"vectors{suffix}") as file:
        file.describe("abc")
    assert (tmp_path / f"vectors{suffix}").exists()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="npz"), writing(tmp_path / "vectors.csv"):
        pass


def test_what_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ConfigError, match="is a folder"), writing(tmp_path / "folder.npz"):
        pytest.fail("the work has begun")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), writing(tmp_path / "file" / "vectors.npz"):
        pytest.fail("the work has begun")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_name_need_not_be_unicode(suffix, tmp_path):
    with writing(tmp_path / f"vectors{suffix}") as file:
        file.add(ROWS[:1], {"path": ["caf\udce9.wav"]})
    assert (tmp_path / f"vectors{suffix}").exists()


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_what_is_written_is_read(suffix, tmp_path):
    _write(tmp_path / f"vectors{suffix}")
    found = read_vectors(tmp_path / f"vectors{suffix}")
    np.testing.assert_array_equal(found.vectors, ROWS)
    assert found.identity == "abc"
    assert found.columns["path"].tolist() == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert found.columns["start_s"].tolist() == [0.0, 1.5, 0.0, 1.5]


def test_files_of_one_identity_are_read_as_one_table(tmp_path):
    _write(tmp_path / "a.npz")
    _write(tmp_path / "b.parquet")
    assert read_vectors(tmp_path / "a.npz", tmp_path / "b.parquet").vectors.shape == (8, 3)


def test_vectors_of_two_identities_are_not_mixed(tmp_path):
    _write(tmp_path / "a.npz")
    with writing(tmp_path / "b.npz") as file:
        file.add(ROWS, {"path": list("abcd"), "start_s": [0.0] * 4})
        file.describe("another")
    with pytest.raises(IdentityError, match="another"):
        read_vectors(tmp_path / "a.npz", tmp_path / "b.npz")
    with pytest.raises(IdentityError, match="embed again"):
        Vectors(ROWS, "abc", {}).check("xyz")


@pytest.mark.parametrize("content", [b"", b"no vectors", b"PK\x03\x04 half a zip"])
@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_that_holds_no_vectors_is_named(content, suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken"):
        read_vectors(path)
    with pytest.raises(DataError, match="no such file"):
        read_vectors(tmp_path / f"missing{suffix}")
