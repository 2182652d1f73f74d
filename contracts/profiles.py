"""How hard Hypothesis tries: `dev` while writing, `ci` the same each time, `nightly` at length."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, settings

# Each example talks to a server: it is slow beside pure code, and its speed is not the subject.
_ON_A_SERVER = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def load(environ: Mapping[str, str]) -> None:
    """Register the profiles and load the one that `HYPOTHESIS_PROFILE` names.

    Without it: `ci` where `CI` is set, else `dev`.
    """
    common = settings(deadline=None, suppress_health_check=_ON_A_SERVER)
    settings.register_profile("dev", common, max_examples=10, stateful_step_count=15)
    settings.register_profile(
        "ci", common, max_examples=20, stateful_step_count=20, derandomize=True, print_blob=True
    )
    settings.register_profile("nightly", common, max_examples=400, stateful_step_count=50)
    settings.load_profile(environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in environ else "dev"))
