"""For work on the code: debug pages, a fixed key."""

from .base import *  # noqa: F403
from .base import INSTALLED_APPS

# Gives `runserver` websockets. Only here: it loads all of Twisted into every process.
INSTALLED_APPS = ["daphne", *INSTALLED_APPS]

DEBUG = True
SECRET_KEY = "development-only-key-of-at-least-fifty-characters-000000"
