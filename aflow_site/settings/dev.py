"""For work on the code: debug pages, a fixed key."""

from .base import *  # noqa: F403

DEBUG = True
SECRET_KEY = "development-only-key-of-at-least-fifty-characters-000000"
