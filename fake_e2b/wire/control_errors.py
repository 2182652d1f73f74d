"""How the control plane's refusals look: kind to status, text and `error_code`.

Fact: control.errors.shape
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.control_errors import ControlKind as K
from fake_e2b.domain.errors import GapError

GAP_CODE = "fake_e2b_gap"
"""The `error_code` of a 501; the service has no such code."""
OVER_RATE = "Rate limit exceeded"
"""What a 429 says to whoever asks too fast."""


@dataclass(frozen=True, slots=True)
class Row:
    """One answer; `text` is filled in with the error's fields, and all there is when `plain`."""

    status: int
    text: str
    error_code: str | None = None
    plain: bool = False


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """A status and the body `{"code", "message", "error_code"?}`; `plain` stands in its place."""

    status: int
    body: dict[str, object]
    plain: str | None = None


_API_KEY = "Invalid API key, please visit https://e2b.dev/docs/api-key for more information."
_ACCESS_TOKEN = "Invalid Access token, try to login again by running `e2b auth login`."
_DEPRECATED = "See https://e2b.dev/docs/migration/access-token-deprecation"
_SECURED = "Please visit https://e2b.dev/docs/sandbox/secured-access for more information."

TABLE: Mapping[K, Row] = {
    K.AUTH_MISSING: Row(401, "authorization header is missing"),
    K.AUTH_MALFORMED: Row(401, "authorization header is malformed"),
    K.API_KEY_FORMAT: Row(401, f"{_API_KEY}\nInvalid API key format"),
    K.API_KEY_UNKNOWN: Row(401, f"{_API_KEY}\nCannot get the team for the given API key"),
    K.BEARER_REJECTED: Row(401, "Invalid auth provider token.\nBackend authentication failed"),
    K.ADMIN_TOKEN_REJECTED: Row(401, "Invalid Access token.\nInvalid Access token."),
    K.BEARER_TEAM_REJECTED: Row(
        401, "Invalid auth provider token teamID.\nBackend authentication failed"
    ),
    K.ACCESS_TOKEN_FORMAT: Row(401, f"{_ACCESS_TOKEN}\nInvalid access token format"),
    K.ACCESS_TOKEN_UNKNOWN: Row(
        401, f"{_ACCESS_TOKEN}\nCannot get the user for the given access token"
    ),
    K.ACCESS_TOKENS_OFF: Row(
        401,
        f"{_ACCESS_TOKEN}\nE2B_ACCESS_TOKEN is deprecated and no longer accepted. Use an API key "
        f"(E2B_API_KEY) instead. {_DEPRECATED}",
    ),
    K.NO_NEW_ACCESS_TOKENS: Row(
        410,
        "Creating new access tokens is disabled. E2B_ACCESS_TOKEN is deprecated; use an API key "
        f"(E2B_API_KEY) instead. {_DEPRECATED}",
    ),
    K.ADMIN_TEAM_FORMAT: Row(400, "Invalid admin token teamID.\nInvalid team ID"),
    K.ADMIN_TEAM_UNKNOWN: Row(404, "Invalid admin token teamID.\nTeam not found"),
    K.TEAM_BANNED: Row(403, "team is banned"),
    K.TEAM_BLOCKED: Row(403, "team is blocked{reason}"),
    K.NO_OPERATION: Row(404, "validation error: no matching operation was found"),
    K.METHOD_NOT_ALLOWED: Row(404, "validation error: method not allowed"),
    K.DEPRECATED_PATH: Row(
        404,
        "validation error: Endpoints are deprecated, please update your SDK to use the new "
        "endpoints.",
    ),
    K.DEPRECATED_CLIENT: Row(
        400,
        "validation error: Endpoint deprecated please update your CLI to the latest version",
    ),
    K.BODY_TOO_LARGE: Row(413, "request too large"),
    K.INVALID_SANDBOX_ID: Row(400, "Invalid sandbox ID"),
    K.SANDBOX_NOT_FOUND: Row(
        404, "Sandbox \"{sandbox_id}\" doesn't exist or you don't have access to it"
    ),
    K.BEING_PAUSED: Row(409, 'Sandbox "{sandbox_id}" is being paused'),
    K.BEING_SNAPSHOTTED: Row(409, 'Sandbox "{sandbox_id}" is being snapshotted'),
    K.BEING_KILLED: Row(409, 'Sandbox "{sandbox_id}" is being killed'),
    K.ALREADY_RUNNING: Row(409, "Sandbox {sandbox_id} is already running"),
    K.ALREADY_PAUSED: Row(409, "Error pausing sandbox - sandbox '{sandbox_id}' is already paused"),
    K.SNAPSHOT_IN_PROGRESS: Row(
        409, "Sandbox snapshot is currently being created for sandbox '{sandbox_id}'"
    ),
    K.CANNOT_PAUSE: Row(409, "Sandbox '{sandbox_id}' cannot be paused while in '{state}' state"),
    K.GUEST_UNHEALTHY: Row(
        503, "Sandbox '{sandbox_id}' cannot be paused right now because its guest does not answer"
    ),
    # The text is ours: what clients know is the code.
    K.GUEST_WAS_UNRESPONSIVE: Row(
        409,
        "Sandbox '{sandbox_id}' was paused while its guest agent was not responding; "
        "resume it without memory (memory: false)",
        "sandbox_snapshot_guest_agent_unresponsive",
    ),
    K.FORK_PAUSED: Row(
        409, "Sandbox '{sandbox_id}' is paused and cannot be forked; resume it first"
    ),
    K.CANNOT_FORK: Row(409, "Sandbox '{sandbox_id}' cannot be forked while in '{state}' state"),
    K.CANNOT_SNAPSHOT: Row(
        409, "Sandbox '{sandbox_id}' cannot be snapshotted while in '{state}' state"
    ),
    K.FORK_COUNT: Row(
        400, "Count must be lower than the maximum number of concurrent sandboxes ({limit})"
    ),
    K.CONCURRENCY_LIMIT: Row(
        429,
        "you have reached the maximum number of concurrent E2B sandboxes ({limit}). If you need "
        "more, please visit 'https://e2b.dev/docs/billing'",
    ),
    K.START_IN_FLIGHT: Row(
        409,
        "Sandbox is already starting; memory: false cannot be applied to a start already in "
        "flight — retry once it is running or paused",
        "sandbox_start_in_flight",
    ),
    K.TIMEOUT_TOO_LOW: Row(400, "Timeout must be greater than 0"),
    K.TIMEOUT_TOO_HIGH: Row(400, "Timeout cannot be greater than {hours} hours"),
    K.MAX_LENGTH_EXCEEDED: Row(400, "Max instance length exceeded"),
    K.AUTO_PAUSE_MEMORY_ALONE: Row(
        400, "autoPauseMemory=false only applies when autoPause is true."
    ),
    K.AUTO_PAUSE_MEMORY_WITH_RESUME: Row(
        400,
        "autoPauseMemory=false (filesystem-only auto-pause) cannot be combined with autoResume: "
        "a filesystem-only snapshot cannot be auto-resumed by traffic and must be resumed "
        "explicitly.",
    ),
    K.BAD_TEMPLATE_REFERENCE: Row(400, "Invalid template reference: {reason}"),
    K.TEMPLATE_NOT_FOUND: Row(404, "template '{name}' not found"),
    K.TAG_NOT_FOUND: Row(404, "tag '{tag}' does not exist for template '{name}'"),
    K.BAD_TEMPLATE_ID: Row(400, "Invalid template ID: {reason}"),
    K.TEMPLATE_FORBIDDEN: Row(403, "You don't have access to template '{name}'"),
    K.TEMPLATE_IN_USE: Row(
        400,
        "cannot delete template '{template_id}' because there are {state} sandboxes using it",
    ),
    K.BAD_SNAPSHOT_NAME: Row(400, "Invalid name: {reason}"),
    K.FOREIGN_NAMESPACE: Row(400, "namespace '{namespace}' must match your team '{slug}'"),
    K.TEMPLATE_ID_NOT_FOUND: Row(404, "Template {template_id} not found"),
    K.TEMPLATE_ID_FORBIDDEN: Row(
        403, "You don't have access to this sandbox template ({template_id})"
    ),
    K.TEMPLATE_UNKNOWN: Row(404, "Template '{name}' not found or you don't have access to it"),
    K.PUBLIC_NAME_TAKEN: Row(
        409,
        "Public template name '{alias}' is already taken. Your template is available at "
        "'{slug}/{alias}'. Please update your CLI to remove this error message.",
    ),
    K.TEAM_MISMATCH: Row(400, "Team ID param mismatch with the API key"),
    K.BAD_ALIAS: Row(400, "Invalid alias format: {reason}"),
    K.ALIAS_FORBIDDEN: Row(403, "You don't have access to this template alias"),
    K.NO_TAGS: Row(400, "At least one tag is required"),
    K.BAD_TARGET: Row(400, "Invalid target template format: {reason}"),
    K.BAD_TAG: Row(400, "Invalid tag: {reason}"),
    K.BAD_TAG_ASKED: Row(400, "Invalid tag"),
    K.TAGS_FORBIDDEN: Row(403, "You don't have access to sandbox template '{name}'"),
    K.TARGET_NOT_FOUND: Row(404, "Template '{name}' with tag '{tag}' not found"),
    K.BAD_TEMPLATE_NAME: Row(400, "Invalid template name format: {reason}"),
    K.TAG_IN_NAME: Row(400, "Template name should not contain a tag, use the 'tags' field instead"),
    K.DEFAULT_TAG_STAYS: Row(400, "Cannot delete the 'default' tag"),
    K.BAD_SORT: Row(400, "Invalid sort parameter"),
    K.BAD_SEARCH: Row(400, "Invalid search parameter"),
    K.BAD_CURSOR: Row(400, "Invalid cursor"),
    K.CURSOR_OF_OTHER_SORT: Row(
        400, "Cursor was issued for a different sort; clear the cursor and restart"
    ),
    K.NAME_REQUIRED: Row(400, "Name is required"),
    K.BAD_BUILD_SIZE: Row(400, "{reason}"),
    K.TEMPLATE_DELETED: Row(404, "Template '{template_id}' has been deleted and cannot be rebuilt"),
    K.ALIAS_OF_OTHER: Row(403, "Alias '{alias}' already used"),
    K.ALIAS_IS_AN_ID: Row(409, "Alias '{alias}' is already used"),
    K.BUILD_LIMIT: Row(
        429,
        "you have reached the maximum number of concurrent template builds ({limit}). Please wait "
        "for existing builds to complete or contact support if you need more concurrent builds.",
    ),
    K.BAD_FILES_HASH: Row(400, "Invalid files hash"),
    K.TEMPLATE_OF_BUILD_NOT_FOUND: Row(
        404, "Error when getting template: template '{template_id}' not found"
    ),
    K.BAD_BUILD_ID: Row(400, "Invalid build ID: {build_id}"),
    K.BAD_BUILD_ID_ASKED: Row(400, "Invalid build id"),
    K.BUILD_NOT_FOUND: Row(400, "Build '{build_id}' not found"),
    K.BUILD_FORBIDDEN: Row(403, "User does not have access to the template"),
    K.BUILD_NOT_WAITING: Row(400, "build is not in waiting state"),
    K.BUILD_SOURCES: Row(400, "{reason} fromImage {joint} fromTemplate"),
    K.TEMPLATE_NEEDS_REBUILD: Row(
        400, f"You need to re-build template to allow using secured access. {_SECURED}"
    ),
    K.TEMPLATE_NOT_SECURABLE: Row(
        400, f"Template is not compatible with secured access. {_SECURED}"
    ),
    K.PUBLIC_ACCESS_NEEDS_SECURE: Row(
        400,
        "You cannot create a sandbox without public access unless you enable secure envd access "
        "via 'secure' flag.",
    ),
    K.BAD_IAM_TOKENS: Row(400, "iam.tokens{reason}"),
    K.BAD_NETWORK: Row(400, "{reason}"),
    K.BAD_EGRESS_PROXY: Row(400, "Invalid egress proxy config: {reason}"),
    K.BAD_VOLUME_MOUNTS: Row(400, "invalid mounts:{mounts}"),
    K.SECRETS_BAD_REQUEST: Row(400, "Invalid secrets request"),
    K.SECRETS_UNAUTHENTICATED: Row(401, "You are not authenticated"),
    K.SECRETS_UNAVAILABLE: Row(403, "Secrets are not available for this team"),
    K.SECRETS_NO_OPERATION: Row(404, "Not found"),
    K.SECRET_NOT_FOUND: Row(404, "Secret not found"),
    K.SECRET_CONFLICT: Row(409, "Secret cannot be modified in its current state"),
    K.BAD_VOLUME_NAME: Row(400, "Invalid volume name"),
    K.VOLUME_EXISTS: Row(400, "Volume with name '{name}' already exists"),
    K.BAD_VOLUME_ID: Row(400, "Invalid volume ID"),
    K.VOLUME_NOT_FOUND: Row(404, "Volume not found"),
    K.VOLUME_FAILED: Row(500, "Error when creating directory"),
    K.BAD_API_KEY_ID: Row(400, "Error when parsing API key ID: {reason}"),
    K.BAD_ACCESS_TOKEN_ID: Row(400, "Error when parsing access token ID: {reason}"),
    K.RATE_LIMIT: Row(429, OVER_RATE),
    K.ID_NOT_FOUND: Row(404, "id not found", plain=True),
    K.NODE_NOT_FOUND: Row(404, "", plain=True),
    K.BAD_PATH_UUID: Row(
        400,
        "validation error: Invalid format for parameter {parameter}: error unmarshaling '{text}' "
        "text as *uuid.UUID: {reason}",
    ),
    K.TEAM_NOT_FOUND: Row(404, "Team not found"),
    K.API_KEY_NOT_FOUND: Row(404, "API key not found"),
    K.TEAM_METRICS_FORBIDDEN: Row(
        403,
        "You ({team_id}) are not authorized to access this team's ({asked_id}) metrics",
    ),
    K.TEAM_METRICS_RANGE: Row(400, "start time cannot be after end time"),
    K.BAD_WEBHOOK: Row(400, "{reason}"),
    K.WEBHOOK_NOT_FOUND: Row(404, "Webhook not found"),
    K.WEBHOOK_LIMIT: Row(429, "Webhook limit reached"),
    # The text is ours.
    K.BAD_DELIVERY_RANGE: Row(400, "start and end must be given together"),
    K.IDEMPOTENCY_MISMATCH: Row(
        422,
        "Idempotency key was already used with a different request",
        "idempotency_request_mismatch",
    ),
    K.IDEMPOTENCY_IN_PROGRESS: Row(
        409,
        "A request with the same idempotency key is still in progress",
        "idempotency_in_progress",
    ),
    K.INVALID_NEXT_TOKEN: Row(400, "Invalid next token"),
    K.BAD_METADATA_FILTER: Row(400, "Error parsing metadata"),
    K.BAD_METADATA_FILTER_V1: Row(
        400,
        "Error parsing metadata: error parsing metadata: invalid key value pair in query",
    ),
    K.BAD_TEMPLATE_FILTER: Row(400, "Invalid template: {reason}"),
    K.TEMPLATE_FILTER_TAG: Row(
        400,
        "Invalid template: tags are not supported here because sandboxes are not tag-scoped",
    ),
    K.INVALID_METRICS_RANGE: Row(400, "Invalid time range for metrics"),
    K.CREATE_FAILED: Row(
        500,
        "Failed to place sandbox: sandbox creation failed on 1 node(s), please retry; if the "
        "problem persists, contact us",
        "sandbox_create_failed",
    ),
    K.NO_CAPACITY: Row(
        503,
        "Failed to place sandbox: not enough capacity for the requested resources right now, "
        "please retry shortly",
        "sandbox_capacity_unavailable",
    ),
    K.PLACEMENT_TIMEOUT: Row(
        504,
        "Failed to place sandbox: placement timed out, please retry",
        "sandbox_placement_timeout",
    ),
    K.PAUSE_FAILED: Row(500, "Error pausing sandbox"),
    K.KILL_FAILED: Row(500, "Error killing sandbox: sandbox operation failed"),
    K.FORK_FAILED: Row(500, "Error forking sandbox"),
    K.SNAPSHOT_FAILED: Row(500, "Error creating snapshot template"),
    K.TEMPLATE_NOT_READY: Row(500, "{reason}"),
}

_OF_SECRETS: Mapping[K, K] = {
    K.AUTH_MISSING: K.SECRETS_UNAUTHENTICATED,
    K.AUTH_MALFORMED: K.SECRETS_UNAUTHENTICATED,
    K.API_KEY_FORMAT: K.SECRETS_UNAUTHENTICATED,
    K.API_KEY_UNKNOWN: K.SECRETS_UNAUTHENTICATED,
    K.BEARER_REJECTED: K.SECRETS_UNAUTHENTICATED,
    K.ADMIN_TOKEN_REJECTED: K.SECRETS_UNAUTHENTICATED,
    K.BEARER_TEAM_REJECTED: K.SECRETS_UNAUTHENTICATED,
    K.ADMIN_TEAM_FORMAT: K.SECRETS_UNAUTHENTICATED,
    K.ADMIN_TEAM_UNKNOWN: K.SECRETS_UNAUTHENTICATED,
    K.TEAM_BANNED: K.SECRETS_UNAVAILABLE,
    K.TEAM_BLOCKED: K.SECRETS_UNAVAILABLE,
    K.NO_OPERATION: K.SECRETS_NO_OPERATION,
    K.METHOD_NOT_ALLOWED: K.SECRETS_NO_OPERATION,
    K.INVALID_NEXT_TOKEN: K.SECRETS_BAD_REQUEST,
}


def as_of_secrets(error: ControlError) -> ControlError:
    """The refusal as the operations on secrets say it, which give no cause away.

    Fact: secrets.errors
    """
    kind = _OF_SECRETS.get(K(error.kind))
    return error if kind is None else ControlError(kind)


NO_RETRY = frozenset({429, 503, 504})
"""Answers that are final, though clients would retry them unless told not to."""


def render(error: ControlError) -> ErrorAnswer:
    """The answer for a refusal."""
    row = TABLE[K(error.kind)]
    text = row.text.format(**error.fields)
    body: dict[str, object] = {"code": row.status, "message": text}
    if row.error_code is not None:
        body["error_code"] = row.error_code
    return ErrorAnswer(row.status, body, text if row.plain else None)


def render_gap(error: GapError) -> ErrorAnswer:
    """The answer for what the fake does not do yet."""
    return ErrorAnswer(501, {"code": 501, "message": str(error), "error_code": GAP_CODE})
