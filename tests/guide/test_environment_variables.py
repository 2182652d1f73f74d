"""Guide: "Environment Variables"."""

from __future__ import annotations

from e2b_code_interpreter import AsyncSandbox, Execution, Sandbox

PRINT_KEY = 'import os; print(os.environ.get("API_KEY"))'


def printed(execution: Execution) -> str:
    assert execution.error is None, execution.error
    return "".join(execution.logs.stdout).strip()


def test_a_sandbox_knows_that_it_is_one() -> None:
    sandbox = Sandbox.create()

    shown = sandbox.commands.run("echo $E2B_SANDBOX $E2B_SANDBOX_ID $E2B_TEMPLATE_ID").stdout

    template_id = sandbox.get_info().template_id
    assert shown.split() == ["true", sandbox.sandbox_id, template_id]


def test_global_variables_reach_commands_and_code() -> None:
    sandbox = Sandbox.create(
        envs={
            "API_KEY": "secret_key_123",
            "DATABASE_URL": "postgres://localhost/db",
            "DEBUG": "true",
        }
    )

    assert printed(sandbox.run_code(PRINT_KEY)) == "secret_key_123"
    result = sandbox.commands.run('echo "$API_KEY $DATABASE_URL $DEBUG"')
    assert result.stdout == "secret_key_123 postgres://localhost/db true\n"


def test_a_code_execution_overrides_for_itself_only() -> None:
    sandbox = Sandbox.create(envs={"API_KEY": "global_key"})

    override = {"API_KEY": "execution_specific_key"}
    assert printed(sandbox.run_code(PRINT_KEY, envs=override)) == "execution_specific_key"
    assert printed(sandbox.run_code(PRINT_KEY)) == "global_key"


def test_a_command_has_its_own_variables() -> None:
    sandbox = Sandbox.create()

    assert sandbox.commands.run("echo $MY_VAR", envs={"MY_VAR": "123"}).stdout == "123\n"
    assert sandbox.commands.run("echo $MY_VAR").stdout == "\n"


def test_a_command_overrides_the_global_variable_for_itself_only() -> None:
    sandbox = Sandbox.create(envs={"MY_VAR": "global"})

    assert sandbox.commands.run("echo $MY_VAR", envs={"MY_VAR": "mine"}).stdout == "mine\n"
    assert sandbox.commands.run("echo $MY_VAR").stdout == "global\n"


def test_nothing_of_the_tests_own_environment_leaks_in() -> None:
    shown = Sandbox.create().commands.run("env").stdout
    assert "E2B_API_KEY" not in shown
    assert "PYTEST_CURRENT_TEST" not in shown


async def test_async_scopes_override_each_other() -> None:
    sandbox = await AsyncSandbox.create(envs={"API_KEY": "global_key"})

    override = {"API_KEY": "execution_specific_key"}
    assert printed(await sandbox.run_code(PRINT_KEY, envs=override)) == "execution_specific_key"
    assert printed(await sandbox.run_code(PRINT_KEY)) == "global_key"
    result = await sandbox.commands.run("echo $API_KEY", envs={"API_KEY": "command_key"})
    assert result.stdout == "command_key\n"
