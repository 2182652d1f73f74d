"""Seeds as TOML: what is written reads as what it was."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from fake_e2b.testing.seed_text import seed_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text('"\\\n\r\t\x00\x7f a')
VALUES = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.lists(TEXTS, max_size=3)
TABLES = st.dictionaries(TEXTS, VALUES | st.dictionaries(TEXTS, VALUES, max_size=3), max_size=4)


@given(name=TEXTS, files=TABLES, metadata=TABLES, start=st.lists(TEXTS, max_size=3))
def test_any_text_survives(name, files, metadata, start):
    box = {"name": name, "start": start, "metadata": metadata, "files": files, "paused": True}
    read = tomllib.loads(seed_toml({"sandbox": [box], "volume": [{"name": name}]}))
    kept = {key: each for key, each in box.items() if each or key not in ("metadata", "files")}
    assert read == {"sandbox": [kept], "volume": [{"name": name}]}


def test_keys_are_those_of_the_file():
    text = seed_toml({"accessTokens": ["sk_e2b_00"], "sandbox": [{"name": "b", "onTimeout": "x"}]})
    assert tomllib.loads(text) == {
        "access_tokens": ["sk_e2b_00"],
        "sandbox": [{"name": "b", "on_timeout": "x"}],
    }


def test_several_lines_are_written_as_such():
    text = seed_toml({"volume": [{"name": "v", "files": {"a": "one\ntwo\n"}}]})
    assert 'a = """\none\ntwo\n"""\n' in text


@given(name=TEXTS, why=TEXTS)
def test_what_is_left_out_stands_on_top_as_comments(name, why):
    text = seed_toml({"notExported": [{"what": "snapshot", "name": name, "why": why}]})
    assert tomllib.loads(text) == {}
    assert "# - snapshot" in text
