"""The profiles that ``fake.faults.profile(name, seed=7)`` and ``FakeE2B(profile=name)`` know.

See docs/faults.md.
"""

from __future__ import annotations

from fake_e2b.domain.steering.profiles import names, profile


def about(name: str) -> str:
    """What a profile stands for, in one sentence.

    Raises:
        UsageError: There is none of that name.
    """
    return profile(name).about


__all__ = ["about", "names"]
