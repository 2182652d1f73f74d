"""What can be said of a template, in Python and in TOML, and what is refused at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fake_e2b import SandboxTemplate, TemplateFile, UsageError
from fake_e2b.domain.recipe import File, Folder, Link
from fake_e2b.testing.template_file import load_templates


def test_files_of_every_kind(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "run").write_text("x")
    os.chmod(folder / "below" / "run", 0o750)
    (folder / "link").symlink_to("below/run")
    items = (
        SandboxTemplate(
            "mine",
            files={
                "text": "a",
                "/opt/bytes": b"b",
                "into/": folder / "below" / "run",
                "tree": folder,
                "/bin/mine": TemplateFile("c", mode=0o755, owner="root"),
            },
        )
        .definition()
        .recipe.items
    )
    assert [item for item in items if isinstance(item, File | Link)] == [
        File("text", "", b"a"),
        File("/opt/bytes", "", b"b"),
        File("into/run", "", str(folder / "below" / "run"), 0o750),
        File("tree/below/run", "", str(folder / "below" / "run"), 0o750),
        Link("tree/link", "", "below/run"),
        File("/bin/mine", "root", b"c", 0o755),
    ]
    assert [item.path for item in items if isinstance(item, Folder)] == ["tree", "tree/below"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "a b"}, "invalid template ID"),
        ({"name": "team/mine"}, "no namespace"),
        ({"from_template": ""}, "invalid template ID"),
        ({"user": "nobody-here"}, "no user 'nobody-here'"),
        ({"workdir": "relative"}, "not absolute"),
        ({"workdir": "/a/../b"}, r"without '\.\.'"),
        ({"files": {"../up": "x"}}, r"without '\.\.'"),
        ({"files": {"/etc/../../x": "x"}}, r"without '\.\.'"),
        ({"files": {"": "x"}}, "give a file's path"),
        ({"files": {"/": "x"}}, "give a file's path"),
        ({"files": {"a\0b": "x"}}, "give a file's path"),
        ({"files": {"/proc/x": "x"}}, "machine's own"),
        ({"files": {"//dev/x": "x"}}, "machine's own"),
        ({"files": {"x": Path("/no/such/file")}}, "cannot be read: No such file"),
        ({"files": {"x": Path("/dev/null")}}, "neither a file nor a folder"),
        ({"files": {"x/": "text"}}, "for a file's path"),
        ({"files": {"x": 3}}, "give text, bytes or a Path"),
        ({"files": {"x": TemplateFile("a", owner="who")}}, "no user 'who'"),
        ({"files": {"x": TemplateFile("a", mode=0o70000)}}, "is no mode"),
        ({"env": {"A=B": "x"}}, "env 'A=B'"),
        ({"start_command": "a\0"}, "NUL"),
        ({"ready_timeout_s": 0}, "more than 0"),
        ({"memory_mb": 64}, "at least 128"),
        ({"disk_limit_mb": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_defined(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SandboxTemplate(**({"name": "mine"} | options))


def test_a_toml_file_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("d")
    path = tmp_path / "templates.toml"
    path.write_text(
        '[[template]]\nname = "one"\nuser = "root"\nready_timeout_s = 3\nenv = { A = "1" }\n'
        '[template.files]\n"/a" = "text"\n"b" = { source = "data", mode = "640" }\n'
        '[[template]]\nname = "two"\nfrom_template = "one"\n'
    )
    one, two = load_templates(path)
    assert one == SandboxTemplate(
        "one",
        user="root",
        ready_timeout_s=3,
        env={"A": "1"},
        files={"/a": TemplateFile("text"), "b": TemplateFile(tmp_path / "data", mode=0o640)},
    )
    assert two == SandboxTemplate("two", from_template="one")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no toml", "cannot be read"),
        ("template = 3", r"\[\[template\]\]"),
        ("[[template]]", "has no name"),
        ('[[template]]\nname = "a"\ncolour = "red"', "no field 'colour'"),
        ('[[template]]\nname = "a"\nuser = 3', "user is no str"),
        ('[[template]]\nname = "a"\nmemory_mb = true', "memory_mb is no int"),
        ('[[template]]\nname = "a"\nenv = { A = 1 }', "as texts"),
        ('[[template]]\nname = "a"\nfiles = { x = 1 }', "text or a table"),
        ('[[template]]\nname = "a"\nfiles = { x = { source = "/etc/passwd" } }', "beside the file"),
        ('[[template]]\nname = "a"\nfiles = { x = { source = "../x" } }', "beside the file"),
        ('[[template]]\nname = "a"\nfiles = { x = { source = "no" } }', "cannot be read: No such"),
        ('[[template]]\nname = "a"\nfiles = { x = { text = "a", mode = "9" } }', "a file has"),
        ('[[template]]\nname = "a"\nfiles = { x = { owner = "root" } }', "a file has"),
    ],
)
def test_a_bad_toml_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "templates.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        load_templates(path)


def test_a_missing_toml_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_templates(tmp_path / "none.toml")
