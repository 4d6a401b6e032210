"""What pytest runs with. REDIS_URL and DATABASE_URL come from the environment; without them the tests get a
Redis of their own (tests/conftest.py starts it on the port chosen here) and a SQLite file in a temporary
directory: a file rather than memory, since threads and processes share it."""

import os
import socket
import tempfile

EMBEDDED_REDIS_PORT = None
if not os.environ.get("REDIS_URL"):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        EMBEDDED_REDIS_PORT = probe.getsockname()[1]
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{EMBEDDED_REDIS_PORT}/0"
os.environ["AFLOW_DATA_DIR"] = tempfile.mkdtemp(prefix="aflow-test-")  # removed by tests/conftest.py

from .base import *  # noqa: E402, F403
from .base import DATA_DIR, DATABASES, STATIC_ROOT, env  # noqa: E402

SECRET_KEY = "test-only-key-of-at-least-fifty-characters-0000000000000"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
AFLOW_RUNTIME = env.str("AFLOW_RUNTIME", "memory")
AFLOW_INSTANCE = f"test{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # of each process that tests side by side
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns of a directory that is not there
