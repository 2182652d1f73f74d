"""Users and administrators: who they are, and their tokens.

One user belongs to every team. The fake has no sign-on: the bearer token that a user's browser
would get there is given out by the fake itself.

Facts: control.auth.access-token, control.auth.bearer, control.auth.admin
"""

from __future__ import annotations

from dataclasses import replace

from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.records import Records
from fake_e2b.domain.team import (
    ACCESS_TOKEN_PREFIX,
    API_KEY_DIGITS,
    AccessToken,
    User,
    is_access_token,
)
from fake_e2b.domain.uuids import BadUuidError, parse_uuid
from fake_e2b.domain.web_token import read_token, sign_token

_GIVEN = "given access tokens"


class Accounts:
    """Everybody who is no team.

    Args:
        ids: Makes tokens.
        clock: When they were made.
        records: Where they are written down.
        access_tokens: Whether access tokens are taken, and new ones made.

    Attributes:
        user: The one who belongs to every team.
        user_token: Their bearer token.
        admin_token: The administrator's.
    """

    def __init__(
        self, ids: IdSource, clock: Clock, records: Records, *, access_tokens: bool = True
    ) -> None:
        self._ids = ids
        self._records = records
        self._takes_access_tokens = access_tokens
        self._clock = clock
        self._key = ids.key("tokens of users")
        self._access_tokens: dict[str, AccessToken] = {}
        self._lasting: dict[str, AccessToken] = {}
        self.user = User(ids.uuid_of("user"))
        self.user_token = sign_token({"sub": self.user.user_id, "iss": "fake-e2b"}, self._key, {})
        self.admin_token = ids.token_of("administrator")

    def add_access_token(self, token: str) -> None:
        """Let a token stand for the user, over every reset."""
        made = self._access_tokens[token] = self._made(token, "Default")
        self._lasting[token] = replace(made)

    def make_access_token(self, name: str) -> AccessToken:
        """A new one, until it is deleted or everything is reset.

        Raises:
            ControlError: NO_NEW_ACCESS_TOKENS.

        Fact: control.auth.access-tokens-off
        """
        if not self._takes_access_tokens:
            raise ControlError(ControlKind.NO_NEW_ACCESS_TOKENS)
        token = ACCESS_TOKEN_PREFIX + self._ids.hex_token(API_KEY_DIGITS)
        return self.take_access_token(token, name)

    def keep_all(self) -> None:
        """Write all tokens down, and which came with the server."""
        for made in self._access_tokens.values():
            self._records.keep(made)
        self._records.put(_GIVEN, "", list(self._lasting))

    def restore(self) -> None:
        """Have the tokens that were recorded; a deleted one is refused, though given again."""
        recorded = {each.token: each for each in self._records.all(AccessToken)}
        for token in self._records.values(_GIVEN).get("", ()):
            if token not in recorded:
                self._access_tokens.pop(token, None)
        self._access_tokens.update(recorded)
        self.keep_all()

    def take_access_token(self, token: str, name: str) -> AccessToken:
        """One of the caller's choice, until it is deleted or everything is reset."""
        made = self._made(token, name)
        self._records.keep(made)
        self._access_tokens[token] = made
        return made

    def access_tokens(self) -> list[AccessToken]:
        """All of them, the oldest first."""
        return list(self._access_tokens.values())

    def _made(self, token: str, name: str) -> AccessToken:
        token_id = self._ids.uuid_of(f"access token {token}")
        return AccessToken(token_id, token, name, self._clock.now_ns())

    def delete_access_token(self, text: str) -> None:
        """Refuse a token from now on.

        Raises:
            ControlError: BAD_ACCESS_TOKEN_ID, ID_NOT_FOUND.
        """
        try:
            token_id = parse_uuid(text)
        except BadUuidError as error:
            raise ControlError(ControlKind.BAD_ACCESS_TOKEN_ID, reason=str(error)) from None
        for token, made in self._access_tokens.items():
            if made.token_id == token_id:
                self._records.forget(made)
                del self._access_tokens[token]
                return
        raise ControlError(ControlKind.ID_NOT_FOUND)

    def by_access_token(self, token: str) -> User:
        """Whose access token it is.

        Raises:
            ControlError: AUTH_MALFORMED, ACCESS_TOKENS_OFF, ACCESS_TOKEN_FORMAT,
                ACCESS_TOKEN_UNKNOWN.
        """
        if self._takes_access_tokens and token in self._access_tokens:
            return self.user
        if not token.startswith(ACCESS_TOKEN_PREFIX):
            raise ControlError(ControlKind.AUTH_MALFORMED)
        if not self._takes_access_tokens:
            raise ControlError(ControlKind.ACCESS_TOKENS_OFF)
        if not is_access_token(token):
            raise ControlError(ControlKind.ACCESS_TOKEN_FORMAT)
        raise ControlError(ControlKind.ACCESS_TOKEN_UNKNOWN)

    def by_user_token(self, token: str) -> User:
        """Whose bearer token it is.

        Raises:
            ControlError: BEARER_REJECTED.
        """
        claims = read_token(token, self._key)
        if claims is None or claims.get("sub") != self.user.user_id:
            raise ControlError(ControlKind.BEARER_REJECTED)
        return self.user

    def check_admin(self, token: str) -> None:
        """Let an administrator pass.

        Raises:
            ControlError: ADMIN_TOKEN_REJECTED.
        """
        if token != self.admin_token:
            raise ControlError(ControlKind.ADMIN_TOKEN_REJECTED)

    def reset(self) -> None:
        """Forget tokens that were made meanwhile; the lasting ones are as they were."""
        self._access_tokens = {token: replace(made) for token, made in self._lasting.items()}
