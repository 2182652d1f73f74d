"""What no seed can say, whatever the fake."""

from __future__ import annotations

import pytest

from fake_e2b.domain.seed.forms import SEED_NAME, SeedError, VolumeForm
from fake_e2b.domain.seed.reading import read_seed

BOX = {"name": "box"}
HOOK = {"name": "h", "url": "http://a/", "events": []}
REFUSED = [
    ({"sandboxes": []}, "does not know 'sandboxes'; did you mean 'sandbox'"),
    ({"sandbox": BOX}, "as a table [[sandbox]]"),
    ({"sandbox": ["box"]}, "as a table [[sandbox]]"),
    ({"access_tokens": "sk_e2b_00"}, "access_tokens is a list"),
    ({"access_tokens": ["e2b_00"]}, "an access token is sk_e2b_"),
    ({"access_tokens": [{"token": "sk_e2b_00", "nam": "x"}]}, "does not know 'nam'"),
    ({"team": [{"slug": "A B"}]}, "lower-case letters"),
    ({"team": [{"slug": "a", "api_keys": ["sk_e2b_00"]}]}, "an API key is e2b_"),
    ({"team": [{"slug": "a", "api_keys": ["e2b_0"]}]}, "even number of hex digits"),
    ({"team": [{"slug": "a", "concurrent_sandboxes": 0}]}, "at least 1"),
    ({5: []}, "does not know 5"),
    ({"access_tokens": [], "accessTokens": []}, "has access_tokens once"),
    ({"secret": [{"name": "s"}]}, "has a value, or a list of versions"),
    ({"secret": [{"name": "s", "value": "v", "versions": ["v"]}]}, "has a value, or"),
    ({"secret": [{"name": "s", "value": ""}]}, "is not empty"),
    ({"secret": [{"name": "s", "value": {"env": "X"}}]}, "value must be a text"),
    ({"webhook": [HOOK]}, "needs 'secret'"),
    ({"sandbox": [{**BOX, "user": "me"}]}, "no user 'me'"),
    ({"sandbox": [{**BOX, "timeout": "1"}]}, "timeout must be a whole number"),
    ({"sandbox": [{**BOX, "on_timeout": "stop"}]}, "'kill' or 'pause'"),
    ({"sandbox": [{**BOX, "metadata": {SEED_NAME: "x"}}]}, "leave it out"),
    ({"sandbox": [{**BOX, "files": {"a": {"text": "x", "uid": 0}}}]}, "uid and gid are for"),
    ({"sandbox": [{**BOX, "files": {"../a": "x"}}]}, "without '..'"),
    ({"sandbox": [{**BOX, "files": {"/proc/a": "x"}}]}, "the machine's own"),
    ({"sandbox": [{**BOX, "files": {"a": "x", "./a": "y"}}]}, "the same path"),
    ({"volume": [{"name": "v", "files": {"a": {}}}]}, "a: a file has one of text"),
    ({"volume": [{"name": "v", "files": {"a": {"text": "x", "base64": ""}}}]}, "one of text"),
    ({"volume": [{"name": "v", "files": {"a": {"base64": "?"}}}]}, "base64 cannot be read"),
    ({"volume": [{"name": "v", "files": {"a": {"text": "", "mode": "rwx"}}}]}, "octal digits"),
    ({"volume": [{"name": "v", "files": {"a": {"text": "", "owner": "root"}}}]}, "uid and gid"),
    ({"volume": [{"name": "v", "files": {"a": {"link": "b"}}}]}, "without links"),
    ({"template": [{"name": "team/a"}]}, "it has no namespace"),
    ({"template": [{"name": "a", "workdir": "b"}]}, "is not absolute"),
]


@pytest.mark.parametrize(("table", "why"), REFUSED)
def test_it_is_refused(table, why):
    with pytest.raises(SeedError) as refusal:
        read_seed(table)
    assert why in str(refusal.value)


def test_the_table_is_named():
    with pytest.raises(SeedError) as refusal:
        read_seed({"volume": [{"name": "a"}, {"name": "b"}, {"nam": "a"}]})
    assert (refusal.value.section, refusal.value.index) == ("volume", 2)


def test_both_spellings_are_read_and_what_is_not_exported_is_passed_over():
    seed = read_seed(
        {
            "accessTokens": ["sk_e2b_00"],
            "sandbox": [{"name": "a", "volumeMounts": {"/m": "v"}}, {"name": "b"}],
            "notExported": [{"what": "snapshot", "name": "s", "why": "so"}],
        }
    )
    assert [each.token for each in seed.access_tokens] == ["sk_e2b_00"]
    assert [each.name for each in seed.tables] == ["a", "b"]


def test_they_are_made_in_an_order_in_which_each_finds_what_it_needs():
    box, volume = {"name": "b", "volume_mounts": {"/m": "v"}}, {"name": "v", "team": "t"}
    seed = read_seed({"sandbox": [box], "volume": [volume], "team": [{"slug": "t"}]})
    assert [each.section for each in seed.tables] == ["team", "volume", "sandbox"]
    assert isinstance(seed.tables[1].form, VolumeForm)


def test_names_are_told_apart_by_team():
    seed = read_seed({"volume": [{"name": "v"}, {"name": "v", "team": "t"}]})
    assert [each.team for each in seed.tables] == [None, "t"]
