"""pip, kept from building anything and from following addresses: what packages name in their metadata
(`Requires-Dist: other @ https://…`) it would else fetch and build, whatever `--only-binary` says.

A program of its own, started with pip's arguments and with none of the platform's modules in reach. It does
nothing when this pip is not as expected: each rule is tried on pip itself first.

Does not: choose what pip is told, or where it looks (`requirement_images`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

AMISS = "ERROR: This machine's pip is not one that can be kept from building packages; upgrade pip ({})."


class Amiss(Exception):
    """pip is not as expected; the argument says where."""


def keep_from_building() -> None:
    """From now on pip raises `InstallationError` where it would prepare a source distribution. Raises
    `Amiss`."""
    from pip._internal.distributions.sdist import SourceDistribution
    from pip._internal.exceptions import InstallationError
    from pip._internal.operations import prepare
    from pip._internal.req.constructors import install_req_from_req_string

    def refuse(self: Any, *_args: Any, **_options: Any) -> None:
        raise InstallationError(f"{self.req} is there as source alone; packages are taken as wheels.")

    if "prepare_distribution_metadata" not in vars(SourceDistribution):
        raise Amiss("source distributions are prepared elsewhere")
    SourceDistribution.prepare_distribution_metadata = refuse  # type: ignore[method-assign]
    make: Any = vars(prepare)["make_distribution_for_install_requirement"]
    source = make(install_req_from_req_string("sample"))
    _must_raise(InstallationError, partial(source.prepare_distribution_metadata, None, False, False))


def keep_from_addresses() -> None:
    """From now on pip raises `InstallationError` for a requirement with an address, whoever names it. Raises
    `Amiss`."""
    from pip._internal.exceptions import InstallationError
    from pip._internal.req import constructors
    from pip._internal.req.req_install import InstallRequirement

    make = InstallRequirement.__init__

    def careful(self: Any, req: Any, comes_from: Any, *args: Any, **options: Any) -> None:
        if req is not None and req.url:
            who = getattr(comes_from, "name", None) or "the list"
            raise InstallationError(
                f"{req.name} is named by an address, by {who}; packages are taken from the index alone."
            )
        make(self, req, comes_from, *args, **options)

    InstallRequirement.__init__ = careful  # type: ignore[method-assign]
    for form in (constructors.install_req_from_req_string, constructors.install_req_from_line):
        for address in ("https://sample.invalid/sample-1.tar.gz", "git+https://sample.invalid/sample"):
            _must_raise(InstallationError, partial(form, f"sample @ {address}", None))


def _must_raise(error: type[Exception], work: Callable[[], object]) -> None:
    try:
        work()
    except error:
        return
    raise Amiss("it took what it must refuse")


def main() -> int:
    # Else a setting (`python = …`) may hand all of this to another pip, which knows nothing of it.
    os.environ["_PIP_RUNNING_IN_SUBPROCESS"] = "1"
    try:
        from pip._internal.cli.main import main as pip

        keep_from_building()
        keep_from_addresses()
    except Exception as exc:
        print(AMISS.format(f"{type(exc).__name__}: {exc}"), file=sys.stderr)
        return 1
    return pip(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
