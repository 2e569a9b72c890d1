"""A cache that cannot be had is one sentence. pytest tests/base/test_paths.py"""

import pytest

from ftlab.base.errors import InputError
from ftlab.base.paths import cache_dir


@pytest.mark.parametrize("place", ["/dev/null", "/proc/x", "x" * 300, "~nosuchuser/x"])
def test_a_cache_that_cannot_be_made_is_one_sentence(monkeypatch, place: str):
    monkeypatch.setenv("FTLAB_CACHE", place)
    with pytest.raises(InputError, match=r"cannot be made .*set FTLAB_CACHE") as caught:
        cache_dir()
    assert "\n" not in str(caught.value)


def test_a_cache_of_ones_own_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("FTLAB_CACHE", str(tmp_path / "deep"))
    assert cache_dir() == tmp_path / "deep" / "ftlab" and cache_dir().is_dir()
