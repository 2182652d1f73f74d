"""The state machines: any order of operations, and the target agrees with the model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from contracts.machines import filesystem, process, sandbox_lifecycle, secrets, templates, volume
from contracts.target import Target


def test_sandboxes_live_as_the_model_says(cheap_target: Target) -> None:
    run_state_machine_as_test(sandbox_lifecycle.make_machine(cheap_target))


def test_files_are_as_the_model_says(cheap_target: Target) -> None:
    run_state_machine_as_test(filesystem.make_machine(cheap_target))


def test_processes_run_as_the_model_says(cheap_target: Target) -> None:
    run_state_machine_as_test(process.make_machine(cheap_target))


def test_secrets_are_as_the_model_says(cheap_target: Target) -> None:
    run_state_machine_as_test(secrets.make_machine(cheap_target))


def test_a_volume_holds_what_the_model_says(cheap_target: Target) -> None:
    run_state_machine_as_test(volume.make_machine(cheap_target))


def test_templates_and_tags_are_as_the_model_says(cheap_target: Target) -> None:
    # Builds and starts cost more than other steps.
    fewer = settings(
        max_examples=-(-settings().max_examples // 3),
        stateful_step_count=-(-settings().stateful_step_count // 2),
    )
    run_state_machine_as_test(templates.make_machine(cheap_target), settings=fewer)
