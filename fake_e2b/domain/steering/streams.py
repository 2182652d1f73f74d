"""Which operations answer in more than one frame, and what their frames are."""

from __future__ import annotations

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.operations import UNKNOWN
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import Moment, Point

ENVELOPED = frozenset(
    {"Process.Start", "Process.Connect", "Process.StreamInput", "Filesystem.WatchDir"}
)
"""Their frames are messages in envelopes."""
KEPT_ALIVE = frozenset({"Process.Start", "Process.Connect", "Filesystem.WatchDir", "execute"})
"""They say from time to time that they are still there."""
ENDED = ENVELOPED | {"execute"}
"""A last frame tells that all was said."""
_STREAMED = ENDED | {"files.download", "readVolumeFile", "port", UNKNOWN}


def check_frame(match: RequestMatch, at: Point) -> None:
    """Refuse a frame that none of the operations' answers can have.

    Raises:
        UsageError: They answer in one frame.
    """
    if at.moment is Moment.FRAME and at.frame > 1 and not match.operations & _STREAMED:
        raise UsageError(
            f"{match.operation} answers in one frame, so there is no {at}; in more than one "
            f"answer {', '.join(sorted(_STREAMED - {UNKNOWN}))}"
        )
