"""The records: written whole, in order, by one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.domain.build import LogLine, Reason
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import IdSource, TeamID, TemplateID, VolumeID
from fake_e2b.domain.recipe import File, Folder, Link, Recipe
from fake_e2b.domain.setup import Setup, Start
from fake_e2b.domain.template import Assignment, Build, BuildStatus, Template
from fake_e2b.domain.volume import Volume
from fake_e2b.storage.database import Database

TEAM = TeamID("11111111-2222-4333-8444-555555555555")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "records.db")


def volume(name: str) -> Volume:
    return Volume(VolumeID(name), TEAM, name)


def test_things_come_back_in_the_order_of_their_making(path: str) -> None:
    database = Database(path)
    for name in ("c", "a", "b"):
        database.keep(volume(name))
    database.keep(Volume(VolumeID("c"), TEAM, "renamed"))
    database.forget(volume("a"))
    database.forget(volume("never there"))
    database.close()
    assert [each.name for each in Database(path).all(Volume)] == ["renamed", "b"]


def test_clear_leaves_what_belongs_to_the_records(path: str) -> None:
    database = Database(path)
    database.keep(volume("a"))
    database.put("log", "x", [1, None, {"a": "b"}])
    database.put("state", "seed", 7)
    assert database.values("log") == {"x": [1, None, {"a": "b"}]}
    database.clear()
    assert database.all(Volume) == []
    assert database.values("log") == {}
    assert database.values("state") == {"seed": 7}


def template(ids: IdSource, *builds: Build, given: bool = False) -> Template:
    made = Template(
        TemplateID(ids.template_id()), TEAM, "slug", ("a", "b"), False, "0.6.13", 5, spawned=3
    )
    for build in builds:
        made.assign(Assignment(ids.uuid(), f"tag-{build.build_id[:4]}", build, 9))
    if given:
        made.make_lasting()
    return made


def test_a_template_with_all_that_its_builds_have(path: str) -> None:
    ids = IdSource(1)
    start = Start("run", "ready", 3.5, "root", "/srv", {"A": "b"})
    low = Build(
        ids.uuid(),
        1,
        setup=Setup(True, "root", "/srv", {"A": "b"}, start, ("ssh",)),
        recipe=Recipe(
            "base",
            (
                Folder("/srv", "root", 0o700),
                Link("/srv/l", "user", "to"),
                File("/srv/f", "user", b"\xff\x00", 0o600),
                File("/srv/g", "user", "/on/the/host"),
            ),
        ),
    )
    high = Build(ids.uuid(), 2, recipe=Recipe("a"), base=low)
    failed = Build(
        ids.uuid(),
        3,
        status=BuildStatus.ERROR,
        log=[LogLine(4, "said", step="1")],
        reason=Reason("why", "1"),
    )
    database = Database(path)
    database.keep(template(ids, low, failed))
    database.keep(template(ids, high))
    first, second = database.all(Template)
    assert first.history[0].recipe == low.recipe
    assert first.history[0].setup == low.setup
    assert (first.history[1].reason, first.history[1].log) == (failed.reason, failed.log)
    assert first.assignments[0].build is first.history[0]
    assert second.history[0].base is first.history[0]
    assert (first.aliases, first.spawned) == (("a", "b"), 3)


def test_what_is_given_at_each_start_is_not_kept(path: str) -> None:
    ids = IdSource(1)
    given = Build(ids.uuid(), 1, recipe=Recipe("base"))
    on_it = Build(ids.uuid(), 2, recipe=Recipe("given"), base=given)
    database = Database(path)
    database.keep(template(ids, given, given=True))
    database.keep(template(ids, on_it))
    shell, other = database.all(Template)
    assert (shell.history, shell.assignments, shell.was_given) == ([], [], True)
    assert other.history[0].base is None


def test_a_record_that_cannot_be_read_is_told(path: str) -> None:
    database = Database(path)
    database.put("volume", "x", {"name": "only"})
    with pytest.raises(UsageError, match="a record of kind 'volume' cannot be read"):
        database.all(Volume)


def test_a_write_that_fails_is_an_os_error(path: str) -> None:
    database = Database(path)
    database.keep(volume("a"))
    database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(OSError, match="cannot be written"):
        database.keep(volume("b"))
    assert [each.name for each in database.all(Volume)] == ["a"]
