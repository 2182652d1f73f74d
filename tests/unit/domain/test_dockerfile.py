"""What a Dockerfile's text says is to be done."""

from __future__ import annotations

import pytest

from fake_e2b.domain.build import Order, Step
from fake_e2b.domain.dockerfile import DockerfileError, read_dockerfile

FIRST = [Step("USER", ("root",)), Step("WORKDIR", ("/",))]
LAST = [Step("USER", ("user",)), Step("WORKDIR", ("/home/user",))]


def order(text: str) -> Order:
    return read_dockerfile(text, start_command="", ready_command="")


def steps(text: str) -> list[Step]:
    """Those between the ones that every Dockerfile begins and ends with."""
    found = list(order("FROM x\n" + text).steps)
    assert found[:2] == FIRST
    assert found[-2:] == LAST
    return found[2:-2]


def test_the_shortest() -> None:
    made = order("from ubuntu:22.04\nRUN echo hi\n")
    assert made.from_image == "ubuntu:22.04"
    assert list(made.steps) == [*FIRST, Step("RUN", ("echo hi",)), *LAST]


def test_its_own_user_and_folder_stay() -> None:
    made = order("FROM x\nUSER worker\nWORKDIR /srv\n")
    assert list(made.steps) == [*FIRST, Step("USER", ("worker",)), Step("WORKDIR", ("/srv",))]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("RUN a && \\\n  # why\n\n  b", "a && b"),
        ('RUN ["echo", "a b"]', "echo 'a b'"),
        ("RUN [ -f /x ] && echo y", "[ -f /x ] && echo y"),
        ("RUN --mount=type=cache,target=/x --network=none make", "make"),
        ("run echo $HOME", "echo $HOME"),
        ("RUN echo a \\", "echo a"),
    ],
)
def test_commands(text: str, command: str) -> None:
    assert steps(text) == [Step("RUN", (command,))]


def test_another_escape() -> None:
    text = "# escape=`\nFROM x\nRUN a `\n  b\\\n"
    assert order(text).steps[2] == Step("RUN", ("a b\\",))


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("ENV A=1 B='two words' C=\"x y\"", ("A", "1", "B", "two words", "C", "x y")),
        ("ENV A the rest of it", ("A", "the rest of it")),
        ("ENV A=1\nENV B=$A-${A}2 PATH=/opt:$PATH", ("B", "1-12", "PATH", "/opt:$PATH")),
        ("ENV A=${B:-c} D=${E:+f}", ("A", "c", "D", "")),
    ],
)
def test_variables(text: str, args: tuple[str, ...]) -> None:
    assert steps(text)[-1] == Step("ENV", args)


def test_arguments_without_a_value_are_none() -> None:
    assert steps("ARG A\nARG B=2\nRUN x") == [Step("ARG", ("B", "2")), Step("RUN", ("x",))]


def test_an_argument_from_before_the_image_is_declared_again() -> None:
    made = order("ARG V=1\nARG W=2\nFROM x:$V\nARG V W=3 U\nENV A=$V$W")
    assert list(made.steps[2:-2]) == [
        Step("ARG", ("V", "1", "W", "3")),
        Step("ENV", ("A", "13")),
    ]
    assert order("ARG V=1\nFROM x\nENV A=$V").steps[2] == Step("ENV", ("A", "$V"))


def test_words_are_parted_by_any_white_space() -> None:
    made = order("FROM\tubuntu\nRUN\t echo a\nENV\tA\tb c\n")
    assert made.from_image == "ubuntu"
    assert list(made.steps[2:-2]) == [Step("RUN", ("echo a",)), Step("ENV", ("A", "b c"))]


def test_they_are_expanded_in_folders_and_users() -> None:
    made = order("FROM x\nARG B=2\nWORKDIR /x/$B\nUSER u$B")
    assert made.steps[-2:] == (Step("WORKDIR", ("/x/2",)), Step("USER", ("u2",)))


def test_an_image_can_be_an_argument() -> None:
    assert order("ARG TAG=22.04\nFROM --platform=linux/amd64 ubuntu:${TAG}").from_image == (
        "ubuntu:22.04"
    )


def test_what_says_nothing_about_files_is_skipped() -> None:
    assert steps('CMD ["a"]\nENTRYPOINT b\nEXPOSE 80\nVOLUME /x\nLABEL a=b\nSHELL ["sh"]') == []


def test_what_is_copied_is_named() -> None:
    made = order("FROM x\nCOPY --chown=a b.txt /c/\nADD https://x.test/y /z\n")
    assert made.left_out == ("COPY --chown=a b.txt /c/", "ADD https://x.test/y /z")
    assert list(made.steps) == [*FIRST, *LAST]


def test_the_last_stage_counts_and_those_it_stands_on() -> None:
    text = """FROM golang AS build
RUN go build
FROM debian AS base
RUN one
FROM base
RUN two
COPY --from=build /a /b
"""
    made = order(text)
    assert made.from_image == "debian"
    assert [each.args[0] for each in made.steps if each.kind == "RUN"] == ["one", "two"]
    assert made.left_out == ("COPY --from=build /a /b",)
    assert order("FROM a\nRUN x\nFROM b\nFROM 0").from_image == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Dockerfile must contain a FROM instruction"),
        ("# nothing", "Dockerfile must contain a FROM instruction"),
        ("RUN x\nFROM y", "dockerfile parse error on line 1: no build stage in current context"),
        ("FROM x\n\nRUNN y", "dockerfile parse error on line 3: unknown instruction: RUNN"),
        ("FROM x y z w", "dockerfile parse error on line 1: FROM requires either one or three"),
        ('FROM x\nENV A="b', "dockerfile parse error on line 2: No closing quotation"),
        ("FROM x\nRUN <<EOF\nls\nEOF", r"here-documents are not supported \(line 2\)"),
    ],
)
def test_what_is_none(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        order(text)
