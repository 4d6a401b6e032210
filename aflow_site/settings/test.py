"""What pytest runs with. REDIS_URL and DATABASE_URL come from the environment; tests/conftest.py starts
an embedded Redis when none is given."""

from .base import *  # noqa: F403
from .base import DATABASES, DATA_DIR, env

SECRET_KEY = "test-only-key-of-at-least-fifty-characters-0000000000000"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
AFLOW_RUNTIME = env.str("AFLOW_RUNTIME", "memory")
AFLOW_INSTANCE = "test"

# A file, not memory: the engine's threads and the tests share it, under the same locks as in production.
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
