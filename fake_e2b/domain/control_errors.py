"""The control plane's and the sandbox proxy's refusals, by meaning."""

from __future__ import annotations

from enum import StrEnum, auto

from fake_e2b.domain.errors import ServiceError


class ControlKind(StrEnum):
    """What the control plane refuses; fields in parentheses."""

    # Who asks.
    AUTH_MISSING = auto()
    AUTH_MALFORMED = auto()
    API_KEY_FORMAT = auto()
    API_KEY_UNKNOWN = auto()
    BEARER_REJECTED = auto()
    ADMIN_TOKEN_REJECTED = auto()
    BEARER_TEAM_REJECTED = auto()
    ACCESS_TOKEN_FORMAT = auto()
    ACCESS_TOKEN_UNKNOWN = auto()
    ACCESS_TOKENS_OFF = auto()
    NO_NEW_ACCESS_TOKENS = auto()
    ADMIN_TEAM_FORMAT = auto()
    ADMIN_TEAM_UNKNOWN = auto()
    TEAM_BANNED = auto()
    TEAM_BLOCKED = auto()  # (reason)

    # Where to.
    NO_OPERATION = auto()
    METHOD_NOT_ALLOWED = auto()
    DEPRECATED_PATH = auto()
    DEPRECATED_CLIENT = auto()
    BODY_TOO_LARGE = auto()

    # Which sandbox, in which state (sandbox_id, state).
    INVALID_SANDBOX_ID = auto()
    SANDBOX_NOT_FOUND = auto()
    BEING_PAUSED = auto()
    BEING_SNAPSHOTTED = auto()
    BEING_KILLED = auto()
    ALREADY_RUNNING = auto()
    ALREADY_PAUSED = auto()
    SNAPSHOT_IN_PROGRESS = auto()
    CANNOT_PAUSE = auto()
    GUEST_UNHEALTHY = auto()
    GUEST_WAS_UNRESPONSIVE = auto()
    FORK_PAUSED = auto()
    CANNOT_SNAPSHOT = auto()
    CANNOT_FORK = auto()
    FORK_COUNT = auto()  # (limit)
    CONCURRENCY_LIMIT = auto()  # (limit)
    RATE_LIMIT = auto()  # (allowance)
    START_IN_FLIGHT = auto()

    # How long.
    TIMEOUT_TOO_LOW = auto()
    TIMEOUT_TOO_HIGH = auto()  # (hours)
    MAX_LENGTH_EXCEEDED = auto()
    AUTO_PAUSE_MEMORY_ALONE = auto()
    AUTO_PAUSE_MEMORY_WITH_RESUME = auto()

    # From what (name, tag, reason).
    BAD_TEMPLATE_REFERENCE = auto()
    TEMPLATE_NOT_FOUND = auto()
    TAG_NOT_FOUND = auto()
    BAD_TEMPLATE_ID = auto()
    TEMPLATE_FORBIDDEN = auto()
    TEMPLATE_IN_USE = auto()  # (template_id, state)
    BAD_SNAPSHOT_NAME = auto()
    FOREIGN_NAMESPACE = auto()  # (namespace, slug)
    TEMPLATE_ID_NOT_FOUND = auto()  # (template_id)
    TEMPLATE_ID_FORBIDDEN = auto()  # (template_id)
    TEMPLATE_UNKNOWN = auto()
    PUBLIC_NAME_TAKEN = auto()  # (alias, slug)
    TEAM_MISMATCH = auto()
    BAD_ALIAS = auto()
    ALIAS_FORBIDDEN = auto()
    NO_TAGS = auto()
    BAD_TARGET = auto()
    BAD_TAG = auto()
    BAD_TAG_ASKED = auto()
    TAGS_FORBIDDEN = auto()
    TARGET_NOT_FOUND = auto()
    BAD_TEMPLATE_NAME = auto()
    TAG_IN_NAME = auto()
    DEFAULT_TAG_STAYS = auto()
    BAD_SORT = auto()
    BAD_SEARCH = auto()
    BAD_CURSOR = auto()
    CURSOR_OF_OTHER_SORT = auto()
    NAME_REQUIRED = auto()
    BAD_BUILD_SIZE = auto()
    ALIAS_IS_AN_ID = auto()  # (alias)
    ALIAS_OF_OTHER = auto()  # (alias)
    TEMPLATE_DELETED = auto()  # (template_id)
    BUILD_LIMIT = auto()  # (limit)
    BAD_FILES_HASH = auto()
    TEMPLATE_OF_BUILD_NOT_FOUND = auto()  # (template_id)
    BAD_BUILD_ID = auto()  # (build_id)
    BAD_BUILD_ID_ASKED = auto()
    BUILD_NOT_FOUND = auto()  # (build_id)
    BUILD_NOT_WAITING = auto()
    BUILD_FORBIDDEN = auto()
    BUILD_SOURCES = auto()
    TEMPLATE_NEEDS_REBUILD = auto()
    TEMPLATE_NOT_SECURABLE = auto()

    # With what (reason, version, mounts).
    PUBLIC_ACCESS_NEEDS_SECURE = auto()
    BAD_IAM_TOKENS = auto()
    BAD_NETWORK = auto()
    BAD_EGRESS_PROXY = auto()
    BAD_VOLUME_MOUNTS = auto()

    # Secrets, whose refusals never say more.
    SECRETS_BAD_REQUEST = auto()
    SECRETS_UNAUTHENTICATED = auto()
    SECRETS_UNAVAILABLE = auto()
    SECRETS_NO_OPERATION = auto()
    SECRET_NOT_FOUND = auto()
    SECRET_CONFLICT = auto()

    # Volumes (name).
    BAD_VOLUME_NAME = auto()
    VOLUME_EXISTS = auto()
    BAD_VOLUME_ID = auto()
    VOLUME_NOT_FOUND = auto()
    VOLUME_FAILED = auto()

    # Keys, tokens and teams (reason).
    BAD_API_KEY_ID = auto()
    BAD_ACCESS_TOKEN_ID = auto()
    ID_NOT_FOUND = auto()
    BAD_PATH_UUID = auto()  # (parameter, text, reason)
    TEAM_NOT_FOUND = auto()
    API_KEY_NOT_FOUND = auto()
    TEAM_METRICS_FORBIDDEN = auto()  # (team_id, asked_id)
    TEAM_METRICS_RANGE = auto()
    NODE_NOT_FOUND = auto()
    # Webhooks (reason).
    BAD_WEBHOOK = auto()
    WEBHOOK_NOT_FOUND = auto()
    WEBHOOK_LIMIT = auto()
    BAD_DELIVERY_RANGE = auto()

    # Same request again.
    IDEMPOTENCY_MISMATCH = auto()
    IDEMPOTENCY_IN_PROGRESS = auto()

    # Lists and series.
    INVALID_NEXT_TOKEN = auto()
    BAD_METADATA_FILTER = auto()
    BAD_METADATA_FILTER_V1 = auto()
    BAD_TEMPLATE_FILTER = auto()  # (reason)
    TEMPLATE_FILTER_TAG = auto()
    INVALID_METRICS_RANGE = auto()

    # The machine failed.
    CREATE_FAILED = auto()
    NO_CAPACITY = auto()
    PLACEMENT_TIMEOUT = auto()
    PAUSE_FAILED = auto()
    KILL_FAILED = auto()
    FORK_FAILED = auto()
    SNAPSHOT_FAILED = auto()
    TEMPLATE_NOT_READY = auto()  # (reason)


class ControlError(ServiceError):
    """A refusal of the control plane; see `fake_e2b.wire.control_errors` for its rendering."""

    def __init__(self, kind: ControlKind, **fields: object) -> None:
        super().__init__(kind, **fields)


class ProxyKind(StrEnum):
    """What the way into a sandbox refuses; all have the fields `sandbox_id` and `port`."""

    SANDBOX_NOT_FOUND = auto()
    PORT_CLOSED = auto()
    RESERVED_PATH = auto()  # (path)
    TRAFFIC_TOKEN_MISSING = auto()
    TRAFFIC_TOKEN_INVALID = auto()
    RESUME_DENIED = auto()
    TEAM_LIMIT = auto()  # (limit)
    CONNECTION_LIMIT = auto()  # (limit)
    STILL_TRANSITIONING = auto()


class ProxyError(ServiceError):
    """A refusal of the sandbox proxy; see `fake_e2b.wire.proxy_errors` for its rendering."""

    def __init__(self, kind: ProxyKind, **fields: object) -> None:
        super().__init__(kind, **fields)
