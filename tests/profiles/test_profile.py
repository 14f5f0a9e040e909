"""Profiles: built-in ones load, a user's own is checked value by value."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pse_sdk.profiles import Profile, describe_profile, load_profile, profile_names

from pse_sdk.errors import ProfileError


@pytest.mark.parametrize("name", profile_names())
def test_built_in_profiles_load_and_describe_themselves(name: str) -> None:
    assert load_profile(name).name == name
    assert describe_profile(name).endswith(".")


def test_fixed_profiles_have_one_depth() -> None:
    profile = load_profile("fixed-3")
    assert (profile.min_depth, profile.max_depth) == (3, 3)


def test_a_users_own_file_is_loaded_by_path(tmp_path: Path) -> None:
    file = tmp_path / "meeting.toml"
    file.write_text("max_depth = 2\ncpu_share = 0.05\n")
    assert load_profile(file) == Profile("meeting", max_depth=2, cpu_share=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpu_shares = 0.1", r"mine\.toml: unknown key 'cpu_shares'; allowed: min_depth, max_depth"),
        ("cpu_share = 2", r"mine\.toml: cpu_share = 2: must be a number above 0 and up to 1"),
        ("cpu_share = 'all'", r"mine\.toml: cpu_share = 'all': must be a number"),
        ("cpu_share = nan", r"cpu_share = nan: must be a number"),
        ("max_depth = 1.5", r"max_depth = 1\.5: must be a whole number from 0 to 64"),
        ("max_depth = true", r"max_depth = True: must be a whole number"),
        ("min_depth = 3\nmax_depth = 2", "min_depth = 3: must not be above max_depth = 2"),
        (f"cpu_share = 0x{'f' * 5000}", "cpu_share = an int that is too large: must be a number"),
        ("cpu_share =", r"mine\.toml: not valid TOML"),
    ],
)
def test_a_wrong_value_is_named_with_file_key_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=message):
        load_profile(file)


@pytest.mark.parametrize(
    "values",
    [{"max_depth": -1}, {"max_depth": 2.5}, {"strength_db": float("nan")}, {"strength_db": -6}, {"cpu_share": 50},
     {"deadline_share": 0}, {"min_depth": 4, "max_depth": 2}],
    ids=str,
)  # fmt: skip
def test_a_profile_made_in_code_is_checked_too(values: dict[str, float]) -> None:
    with pytest.raises(ProfileError, match="profile mine: "):
        Profile("mine", **values)  # type: ignore[arg-type]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("max_depth = 2\n", encoding="utf-8-sig")
    assert load_profile(tmp_path / "mine.toml").max_depth == 2


def test_a_profile_that_needs_a_stream_says_so() -> None:
    with pytest.raises(ProfileError, match="follows the power supply of a running stream"):
        load_profile("auto")


def test_a_file_may_be_named_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "MINE.TOML").write_text("max_depth = 2")
    assert load_profile(tmp_path / "MINE.TOML").max_depth == 2


@pytest.mark.parametrize("name", ["turbo", "", "fixed-0", "fixed-x", "none.toml", "../battery"])
def test_an_unknown_profile_is_refused(name: str) -> None:
    with pytest.raises(ProfileError):
        load_profile(name)


@given(st.text(max_size=40))
def test_no_text_breaks_the_loader(text: str) -> None:
    try:
        load_profile(text)
    except ProfileError as error:
        assert str(error)
