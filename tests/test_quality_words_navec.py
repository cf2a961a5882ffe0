"""Archives of navec: word vectors put together from quantised parts."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from helpers.quality.words import as_word_vectors
from helpers.quality.words.navec import read_navec

WORDS = ["дом", "лес", "<unk>"]
INDEX = np.array([[0, 1], [1, 0], [1, 1]])
PARTS = np.arange(12, dtype="<f4").reshape(2, 2, 3)  # two parts, two values of each, three features a part


def archive(path, *, words=WORDS, index=INDEX, size="<u1", cut=0, members=("vocab.bin", "pq.bin")):
    told = np.array([len(words)], "<u4").tobytes() + np.arange(len(words), dtype="<u4").tobytes()
    sizes = np.array([len(index), 6, 2, 2], "<u4").tobytes()
    content = {
        "vocab.bin": gzip.compress(told + "\n".join(words).encode()),
        "pq.bin": sizes + index.astype(size).tobytes() + PARTS.tobytes()[: PARTS.nbytes - cut],
    }
    with tarfile.open(path, "w") as tar:
        for name in members:
            info = tarfile.TarInfo(name)
            info.size = len(content[name])
            tar.addfile(info, io.BytesIO(content[name]))
    return path


@pytest.mark.parametrize("size", ["<u1", "<u2"])
def test_vectors_are_put_together_from_their_parts(tmp_path, size):
    words, x = read_navec(archive(tmp_path / "navec.tar", size=size))
    assert words == WORDS and x.dtype == np.float32
    by_hand = [np.concatenate([PARTS[0, one], PARTS[1, other]]) for one, other in INDEX]
    np.testing.assert_array_equal(x, by_hand)
    found = as_word_vectors(tmp_path / "navec.tar")
    assert found.words == tuple(WORDS) and found.name == "navec"


def test_what_is_no_such_archive_is_refused_with_the_reason(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_navec(tmp_path / "absent.tar")
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(ValueError, match="no archive of navec"):
        read_navec(tmp_path / "text.tar")
    for name, change, message in (
        ("half", {"members": ("vocab.bin",)}, "no archive of navec"),
        ("short", {"cut": 4}, "may be truncated"),
        ("words", {"words": WORDS[:2]}, "has not the 3 words"),
        ("far", {"index": INDEX + 1}, "points to part 2 of 2"),
    ):
        with pytest.raises(ValueError, match=message):
            read_navec(archive(tmp_path / f"{name}.tar", **change))
