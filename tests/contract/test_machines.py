"""The state machines: any order of operations, and the target agrees with the model."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test

from contracts.machines import filesystem, process, sandbox_lifecycle, secrets, volume
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
