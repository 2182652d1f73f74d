"""Puts envd's app together."""

from __future__ import annotations

from fake_e2b.data_plane.connect import ConnectService
from fake_e2b.data_plane.envd import filesystem
from fake_e2b.data_plane.envd.gate import EnvdApp
from fake_e2b.data_plane.envd.process import ProcessService
from fake_e2b.data_plane.envd.routes import ROUTES
from fake_e2b.wire.proto_schema import envd_schema


def envd_app() -> EnvdApp:
    """The daemon of whatever sandbox the scope's target names."""
    handlers = {**ProcessService().handlers(), **filesystem.HANDLERS}
    return EnvdApp(ConnectService(envd_schema(), handlers), ROUTES)
