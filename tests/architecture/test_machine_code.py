"""Plain functions compiled with others in their place, and where machine code is kept."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from machine_code import cache
from machine_code.compiling import compiled, in_python
from machine_code.slots import filled, slot

FACTOR = 3


@slot
def bonus_of_this_test(number: int) -> int:
    raise NotImplementedError


def scaled(number: int) -> int:
    return FACTOR * number + bonus_of_this_test(number)


def entry(number: int) -> int:
    return countdown(number) + scaled(number)


def countdown(number: int) -> int:
    return 0 if number == 0 else 1 + countdown(number - 1)


def sum_of_scaled(number: int) -> int:
    return sum([scaled(one) + FACTOR for one in range(number)])


def squared(number: int) -> int:
    return number * number


def negative(number: int) -> int:
    return -number


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("inline", [False, True])
def test_stand_ins_at_both_speeds(folder: Path, inline: bool) -> None:
    """4 + 3 * 4 + 4 * 4, and with another stand-in 4 + 3 * 4 - 4; the functions themselves stay as they are."""
    for stand_in, expected in ((squared, 32), (negative, 12)):
        stand_ins = filled((entry,), {"bonus_of_this_test": stand_in})
        (plain,) = in_python((entry,), stand_ins)
        assert plain(4) == expected
        if not inline:  # a function that calls itself cannot become a part of its caller
            assert compiled(entry, stand_ins, "test")(4) == expected
        assert compiled(scaled, stand_ins, "test", inline=inline)(4) == expected - 4
    with pytest.raises(NotImplementedError):
        entry(4)
    assert list(folder.rglob("*.nbc"))


def test_it_is_announced_where_it_is_not_on_the_disk_yet(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        compiled(squared, {}, "test", "compiling, once")(2)
    assert [record.getMessage() for record in caplog.records] == ["compiling, once"]


def test_a_slot_has_a_name_of_its_own() -> None:
    def bonus_of_this_test() -> None: ...

    bonus_of_this_test.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="slot 'bonus_of_this_test': expected a name of its own, got one that tests"):
        slot(bonus_of_this_test)


def test_what_a_comprehension_calls_is_replaced_too() -> None:
    """0 + 3 + 6, each with its square and 3 more."""
    (plain,) = in_python((sum_of_scaled,), filled((sum_of_scaled,), {"bonus_of_this_test": squared}))
    assert plain(3) == 9 + 5 + 9


@pytest.mark.parametrize("function", [scaled, sum_of_scaled])
def test_the_digest_changes_with_a_number_that_is_frozen_into_the_code(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache.digest([function])
    assert cache.digest([function]) == before
    monkeypatch.setitem(function.__globals__, "FACTOR", 4)
    assert cache.digest([function]) != before


def test_a_cache_folder_that_is_there_and_cannot_be_written_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another user owns it. Root may write everywhere, so that the refusal is played."""
    theirs = folder / "machine-code" / "read-only"
    theirs.mkdir(parents=True)
    make_file = tempfile.TemporaryFile

    def refusing(*arguments: Any, **keywords: Any) -> Any:
        if Path(keywords["dir"]).is_relative_to(folder):
            raise PermissionError(13, "Permission denied")
        return make_file(*arguments, **keywords)

    monkeypatch.setattr(tempfile, "TemporaryFile", refusing)
    private = cache.kept_in("read-only")
    assert not private.is_relative_to(folder)
    assert private.is_dir()
    assert private.parent.stat().st_mode & 0o077 == 0  # nobody else can put anything into it
    assert compiled(squared, {}, "read-only")(3) == 9
    assert not list(theirs.iterdir())


def test_a_file_in_the_way_of_the_cache_folder(folder: Path) -> None:
    folder.mkdir()
    (folder / "machine-code").write_text("")
    assert compiled(negative, {}, "in-the-way")(3) == -3


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RL_LAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert compiled(squared, {}, "homeless")(3) == 9
