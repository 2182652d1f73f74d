"""Which words a stub fits, and which make no stub."""

from __future__ import annotations

import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.stubs.call import Command, Site
from fake_e2b.domain.stubs.form import StubForm, form_of
from fake_e2b.domain.stubs.rule import StubMatch
from fake_e2b.domain.stubs.words import BUILT_INS, pattern_fits, program_name, words_of

SITE = Site("iabc", {"user": "1", "more": "x"}, frozenset({"t0", "base"}))


def command(text: str) -> Command:
    return Command("iabc", words_of(text), "/home/user", {})


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("npm *", "npm", True),
        ("npm *", "npm a 'b c'", True),
        ("npm * x", "npm a x", True),
        ("npm * x", "npm x", False),
        ("npm * x", "npm a b x", False),
        ("npm run-[ab] ?", "npm run-a 1", True),
        ("npm run-[ab] ?", "npm run-c 1", False),
        ("npm '*'", "npm a b", True),
        ("npm", "npm", True),
        ("npm", "npm x", False),
        ("npm *.js", "npm A.JS", False),
    ],
)
def test_a_pattern_is_compared_word_by_word(pattern: str, text: str, fits: bool) -> None:
    assert pattern_fits(words_of(pattern), words_of(text)) is fits
    assert StubMatch(pattern=pattern).fits(command(text)) is fits


def test_a_regular_expression_sees_words_as_a_shell_would_write_them() -> None:
    match = StubMatch(regex=r"install 'left pad'$", programs=("npm", "pnpm"))
    assert match.fits(command("pnpm install 'left pad'"))
    assert not match.fits(command("npm install left pad"))
    assert not match.fits(command("yarn install 'left pad'"))


def test_every_condition_of_a_place_must_hold() -> None:
    assert StubMatch(programs=("npm",)).is_for(SITE)
    assert StubMatch(
        programs=("npm",), sandbox_id="iabc-client", metadata={"user": "1"}, template="base"
    ).is_for(SITE)
    for other in ({"sandbox_id": "iabd"}, {"metadata": {"user": "2"}}, {"template": "t1"}):
        assert not StubMatch(programs=("npm",), **other).is_for(SITE)  # type: ignore[arg-type]


def test_a_program_that_no_stub_can_stand_in_for() -> None:
    for word in (*BUILT_INS, "./run", "/bin/ls", "", "a b", "$X", "A=1", "~", "*"):
        with pytest.raises(UsageError):
            program_name(word)
    for word in ("npm", "g++", "python3.11", "apt-get", "7z", "ls:x", "naïve"):
        assert program_name(word) == word


def test_a_form_says_all_that_a_rule_holds() -> None:
    form = StubForm(
        "mine",
        None,
        None,
        "x+",
        ("npm", "pnpm"),
        "iabc",
        {"user": "1"},
        "base",
        3,
        "out",
        "err",
        7,
        0.5,
    )
    assert form_of(form.rule(str)) == form
    plain = StubForm(command=("npm", "a b")).rule(lambda text: f"{text}!")
    assert form_of(plain) == StubForm("npm 'a b'!", "npm 'a b'")
    assert form_of(StubForm(program="npm").rule(str)) == StubForm("npm", program="npm")
