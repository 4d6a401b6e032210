"""What goes wrong around a platform: each is one sentence that says what to do."""

from __future__ import annotations

from aflow_site.kernel.errors import FlowError


class PlatformTrouble(FlowError):
    """The commands print `detail` and end with exit code 1."""

    code = "platform"
    title = "The platform cannot do this now"
