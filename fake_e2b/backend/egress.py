"""What a sandbox's network rules make of the requests that leave it.

Nothing leaves a sandbox of the fake: this answers what would, for tests that ask.

Facts: secrets.rotation, secrets.rules.precedence, fake.egress.headers
"""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.backend.secrets import Secrets
from fake_e2b.backend.store import Store
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.network_rules import rule_for
from fake_e2b.domain.placeholders import Placeholder, filled
from fake_e2b.domain.sandbox import Sandbox, short_id
from fake_e2b.domain.web_token import sign_token

WORKLOAD_TOKEN_S = 300
"""How long a workload token is good for. Fact: fake.identity.claims"""
_ISSUER = "https://identity.e2b.localhost"
_TRUST_DOMAIN = "e2b.localhost"


class Egress:
    """Looks at sandboxes and secrets, and mints workload tokens."""

    def __init__(self, store: Store, secrets: Secrets, ids: IdSource, clock: Clock) -> None:
        self._store = store
        self._secrets = secrets
        self._ids = ids
        self._clock = clock

    def headers(self, sandbox_id: str, host: str, given: Mapping[str, str]) -> dict[str, str]:
        """The headers that an HTTPS request of a sandbox would have after its rules.

        Each call resolves anew: secrets by their current version, tokens freshly minted.

        Args:
            host: Where the request goes.
            given: What the program in the sandbox set; a rule's header takes the place of one of
                the same name, in whatever case.

        Raises:
            UsageError: There is no such sandbox, or a secret that its rule names.
        """
        record = self._store.get(short_id(sandbox_id) or "")
        if record is None:
            known = ", ".join(self._store.records) or "none"
            raise UsageError(f"there is no sandbox '{sandbox_id}'; there are: {known}")
        sandbox = record.sandbox
        set_by_rule = rule_for((sandbox.network or {}).get("rules") or {}, host)
        names = {name.lower() for name in set_by_rule}
        kept = {name: value for name, value in given.items() if name.lower() not in names}
        return kept | {
            name: filled(value, lambda each: self._fill(sandbox, each))
            for name, value in set_by_rule.items()
        }

    def _fill(self, sandbox: Sandbox, placeholder: Placeholder) -> str | None:
        if placeholder.kind == "identity.tokens":
            token = sandbox.iam_tokens.get(placeholder.name)
            return None if token is None else self._mint(sandbox, token["audience"])
        value = self._secrets.value(sandbox.team_id, placeholder.name)
        if value is None:
            raise UsageError(
                f"the secret '{placeholder.name}', which a network rule of {sandbox.sandbox_id} "
                "names, does not exist: the request would fail"
            )
        return value

    def _mint(self, sandbox: Sandbox, audience: str) -> str:
        now_s = self._clock.now_ns() // SECOND_NS
        claims = {
            "iss": _ISSUER,
            "sub": f"spiffe://{_TRUST_DOMAIN}/team/{sandbox.team_id}/sandbox/{sandbox.sandbox_id}",
            "aud": [audience],
            "iat": now_s,
            "exp": now_s + WORKLOAD_TOKEN_S,
            "jti": self._ids.uuid(),
        }
        return sign_token(claims, self._ids.key("workload tokens"), {"kid": "fake-e2b"})
