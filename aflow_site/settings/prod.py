"""What `./aflow up` runs with. The secret key has no default here: it lives in the data directory."""

from django.core.exceptions import ImproperlyConfigured

from .base import *  # noqa: F403
from .base import DATA_DIR, SECRET_KEY

if not SECRET_KEY:
    key_file = DATA_DIR / "secret_key"
    if not key_file.exists():
        raise ImproperlyConfigured(
            f"No secret key: set SECRET_KEY, or start with ./aflow up, which writes {key_file}."
        )
    SECRET_KEY = key_file.read_text().strip()
