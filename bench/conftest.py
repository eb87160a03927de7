"""Measurements stand on the same real servers as the tests."""

from __future__ import annotations

pytest_plugins = ["support.servers", "support.databases", "support.starts", "support.processes"]
