"""One step from its table: every key is one that its form declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fake_e2b.backend.verification import Count, Wanted
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest, read, refuse_unknown
from fake_e2b.domain.steering.effects import Hold, write_effect
from fake_e2b.domain.steering.rule import read_rule
from fake_e2b.domain.stubs.form import StubForm
from fake_e2b.scenario.expectations import check_expectation
from fake_e2b.scenario.steps import FORMS, OF_EVERY_STEP, WITHOUT_DEFAULT, StepForm
from fake_e2b.scenario.story import Raises, Step, Table

_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def read_step(table: Table, line: int) -> Step:
    """The step that a table describes.

    Raises:
        UsageError: No player would understand it.
    """
    do = table.pop("do", None)
    if do is None:
        raise UsageError('a step says what it does, as in do = "create"')
    refuse_unknown(str(do), FORMS, "step")
    form = FORMS[do]
    what = f"step {do!r}"
    common = {key: table.pop(key) for key in OF_EVERY_STEP if key in table}
    names = _names(form)
    check_keys(table, needs=form.needs, takes={**form.takes, **names}, what=what)
    for kind in names:
        if kind not in WITHOUT_DEFAULT:
            table.setdefault(kind, str(kind))
    for kind in form.uses:
        if kind not in table:
            raise UsageError(f"{what} needs {str(kind)!r}: the name of one that was made before")
    _check_rule(do, table)
    _check_records(do, table)
    background = common.get("background")
    if background is not None and not (isinstance(background, str) and background):
        raise UsageError(f'{what}: background is a name for it, as in background = "creating"')
    if background is not None and not form.can_wait:
        raise UsageError(f"{what} cannot be played in the background")
    return Step(
        line,
        do,
        table,
        expect=_expect(common.get("expect", {}), form, what),
        raises=_raises(common.get("raises"), form, what),
        keep=_keep(common.get("keep", {}), form, what),
        background=background,
    )


def check_keys(
    table: Table, *, needs: Mapping[str, type], takes: Mapping[str, type], what: str
) -> None:
    """Refuse a table that has a key too many or too few, or a value of the wrong kind.

    Raises:
        UsageError: It has.
    """
    known = {**needs, **takes}
    for key, value in table.items():
        if key not in known:
            listed = ", ".join(known) or "nothing"
            hint = nearest(key, known)
            raise UsageError(f"{what} does not know {key!r}{hint}; it takes {listed}")
        if not _is_a(value, known[key]):
            raise UsageError(f"{what} wants {key} as {_NAMES[known[key]]}, not {value!r}")
    for key in needs:
        if key not in table:
            raise UsageError(f"{what} needs {key}")


def _is_a(value: object, kind: type) -> bool:
    if kind is object or (kind is float and type(value) is int):
        return True
    # In Python a bool is an int; in a scenario it is not.
    return type(value) is kind


def _names(form: StepForm) -> dict[str, type]:
    made = (form.makes,) if form.makes and form.makes not in WITHOUT_DEFAULT else ()
    return {kind.value: str for kind in (*made, *form.uses)}


def _check_rule(do: str, table: Table) -> None:
    if do == "hold":
        if "name" not in table:
            raise UsageError('a gate has a name, as in name = "door"')
        read_rule({**table, "effect": write_effect(Hold())}, lambda stem: stem)
    elif do == "fault":
        read_rule(table, lambda stem: stem)
        if table["effect"].get("kind") == Hold.kind:
            raise UsageError('requests are held by a gate: do = "hold"')
    elif do == "stub":
        read(StubForm, table, "step 'stub'").rule(lambda stem: stem)


def _check_records(do: str, table: Table) -> None:
    if do == "expect_requests":
        Wanted.of(table["operation"], table.get("fields", {}))
        Count.of(table.get("times"), table.get("at_least"), table.get("at_most"))
    elif do == "expect_order":
        for each in table["steps"]:
            if not isinstance(each, dict) or "operation" not in each:
                raise UsageError("steps is a list of tables with operation and fields")
            check_keys(each, needs={"operation": str}, takes={"fields": dict}, what="a step of it")
            Wanted.of(each["operation"], each.get("fields", {}))


def _expect(expect: Any, form: StepForm, what: str) -> Table:
    if not isinstance(expect, dict):
        raise UsageError(f"{what}: expect is a table, as in expect = {{ stdout = 'hi' }}")
    for key, wanted in expect.items():
        if key not in form.shows:
            listed = ", ".join(form.shows) or "nothing"
            hint = nearest(key, form.shows)
            raise UsageError(f"expect of {what} does not know {key!r}{hint}; it takes {listed}")
        try:
            check_expectation(wanted, form.shows[key])
        except UsageError as error:
            raise UsageError(f"expect of {what}: {key}: {error}") from error
    return expect


def _raises(raises: Any, form: StepForm, what: str) -> Raises | None:
    if raises is None:
        return None
    if form.of_the_fake:
        raise UsageError(f"{what} asks the fake, not the service: it raises nothing")
    if isinstance(raises, str):
        return Raises(raises)
    return read(Raises, raises, f"raises of {what}")


def _keep(keep: Any, form: StepForm, what: str) -> dict[str, str]:
    if not isinstance(keep, dict):
        raise UsageError(f"{what}: keep is a table, as in keep = {{ url = 'link' }}")
    for key, name in keep.items():
        refuse_unknown(key, form.shows, f"value of {what}")
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{what}: keep {key} by a name such as 'link', not {name!r}")
    return keep
