"""Which node provider this installation uses."""

from __future__ import annotations

from aflow_site.kernel.errors import InvalidInput
from pools.providers.base import NodeProvider, ProviderFault

UNNAMED = "default"  # AFLOW_INSTANCE, where nobody set it


def make_provider(name: str, *, instance: str) -> NodeProvider | None:
    """None: nodes are whatever the engine has. The SDK of EC2 is loaded by those alone who use it.

    Raises `InvalidInput`, and `ProviderFault` where machines could not be told from another platform's.
    """
    match name:
        case "none":
            return None
        case "ec2" if instance == UNNAMED:
            raise ProviderFault(
                "AFLOW_INSTANCE is not set. It marks the machines of this platform, which ends those that it "
                "does not know: give each platform of an account a name of its own."
            )
        case "ec2":
            from pools.providers.ec2 import Ec2Provider

            return Ec2Provider(instance)
    raise InvalidInput(f"AFLOW_NODE_PROVIDER is {name!r}; it must be none or ec2.")
