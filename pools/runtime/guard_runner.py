"""The rules of a node's kernel that egress agents live under: a program of its own, run on the node in the
agents' image, with the node's network and the right to administrate it, for as long as it takes to set them.

It speaks nf_tables' own protocol (linux/netfilter/nf_tables.h), in one transaction: there is no moment with
half of the rules. They are about packets that come in by the bridges of egress agents, before any address is
translated, so they see where an agent wanted to go:

- what belongs to a connection that somebody else began passes: that is how agents answer;
- no address of this node, whatever it is, no broadcast, and no agent of the same bridge;
- no address of the list, on any port: other nodes, and what the platform runs on;
- no link-local address, where clouds hand out their machines' rights (names may be asked for there);
- nothing over IPv6, which these networks have not.

The same table masquerades what is left. So without it agents reach nothing: no answer finds its way back.

The argument is JSON: `table`, and `bridges` and `forbidden` (addresses), or `remove`. Prints JSON: this
node's own IPv4 `addresses`, and the `error` if there was one. Knows none of the platform's modules; needs
Linux 5.9.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

NEEDED = (5, 9)  # since then packets can be refused before routing, and not only dropped
NETFILTER = 12  # of netlink
TABLES = 10  # the subsystem
BEGIN, END = 0x10, 0x11
NEW_TABLE, DELETE_TABLE, NEW_CHAIN, NEW_RULE, NEW_SET, NEW_ELEMENTS = 0, 2, 3, 6, 9, 12
REQUEST, ACK, CREATE, APPEND = 0x1, 0x4, 0x400, 0x800
ERROR = 2
INET = 1
NESTED = 0x8000
BEFORE_ROUTING, BEHIND_ROUTING = 0, 4
BEFORE_TRANSLATION, SOURCE_TRANSLATION = -150, 100  # priorities
REGISTER = 1
IN_BY, PROTOCOL_FAMILY, TRANSPORT = 6, 15, 16  # keys of `meta`
CT_DIRECTION = 1
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
FIB_DEVICE_NAME, FIB_TYPE, OF_DESTINATION = 2, 3, 2
UNICAST, LOCAL = 1, 2
REPLY, IPV6, UDP, NAMES_PORT = 1, 10, 17, 53
EQUAL, DIFFERENT = 0, 1
DROP, ACCEPT = 0, 1
BY_ICMP, PROHIBITED = 2, 3  # whatever the family; "administratively prohibited"
BRIDGES, FORBIDDEN = "bridges", "forbidden"
TYPE_OF_NAMES, TYPE_OF_ADDRESSES = 41, 7  # what `nft` shows them as
NAME_BYTES = 16
AT_ONCE = 1000  # elements in one message
ANSWER_SECONDS = 10


class Refused(Exception):
    """The argument is a sentence without its full stop."""


# --- the protocol's forms -------------------------------------------------------------------------------


def attribute(kind: int, value: bytes | str | int) -> bytes:
    """Numbers are big-endian ones of 32 bits; text ends with a zero."""
    if isinstance(value, int):
        value = struct.pack(">i", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(parts))


def message(kind: int, flags: int, *parts: bytes, family: int = INET) -> bytes:
    """Without its number, which `send` gives it."""
    body = struct.pack(">BBH", family, 0, TABLES if kind in (BEGIN, END) else 0) + b"".join(parts)
    kind = kind if kind in (BEGIN, END) else TABLES << 8 | kind
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 0, 0) + body


def expression(name: str, *parts: bytes) -> bytes:
    return nested(1, attribute(1, name), nested(2, *parts))


def meta(key: int) -> bytes:
    return expression("meta", attribute(1, REGISTER), attribute(2, key))


def payload(base: int, offset: int, length: int) -> bytes:
    return expression(
        "payload", attribute(1, REGISTER), attribute(2, base), attribute(3, offset), attribute(4, length)
    )


def compare(how: int, value: bytes) -> bytes:
    return expression("cmp", attribute(1, REGISTER), attribute(2, how), nested(3, attribute(1, value)))


def masked(mask: bytes) -> bytes:
    numbers = attribute(1, REGISTER), attribute(2, REGISTER), attribute(3, len(mask))
    return expression(
        "bitwise", *numbers, nested(4, attribute(1, mask)), nested(5, attribute(1, bytes(len(mask))))
    )


def among(name: str) -> bytes:
    return expression("lookup", attribute(1, name), attribute(2, REGISTER))


def route(result: int) -> bytes:
    return expression("fib", attribute(1, REGISTER), attribute(2, result), attribute(3, OF_DESTINATION))


def verdict(code: int) -> bytes:
    return expression("immediate", attribute(1, 0), nested(2, nested(2, attribute(1, code))))


def refuse() -> bytes:
    """Whoever tries hears it at once."""
    return expression("reject", attribute(1, BY_ICMP), attribute(2, bytes([PROHIBITED])))


# --- the rules ------------------------------------------------------------------------------------------


def rules() -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The chain, and what stands in it, in their order. Each is about what comes in by the bridges."""
    destination = payload(NETWORK_HEADER, 16, 4)
    link_local = destination, masked(b"\xff\xff\0\0"), compare(EQUAL, socket.inet_aton("169.254.0.0"))
    name_query = (
        meta(TRANSPORT),
        compare(EQUAL, bytes([UDP])),
        payload(TRANSPORT_HEADER, 2, 2),
        compare(EQUAL, struct.pack(">H", NAMES_PORT)),
    )
    answer = expression("ct", attribute(1, REGISTER), attribute(2, CT_DIRECTION))
    for rule in (
        (meta(PROTOCOL_FAMILY), compare(EQUAL, bytes([IPV6])), verdict(DROP)),
        (answer, compare(EQUAL, bytes([REPLY])), verdict(ACCEPT)),
        (route(FIB_TYPE), compare(EQUAL, struct.pack("=I", LOCAL)), refuse()),
        (route(FIB_TYPE), compare(DIFFERENT, struct.pack("=I", UNICAST)), verdict(DROP)),
        (route(FIB_DEVICE_NAME), among(BRIDGES), verdict(DROP)),
        (destination, among(FORBIDDEN), refuse()),
        (*link_local, *name_query, verdict(ACCEPT)),
        (*link_local, refuse()),
    ):
        yield "forbid", (meta(IN_BY), among(BRIDGES), *rule)
    yield "masquerade", (meta(IN_BY), among(BRIDGES), expression("masq"))


def transaction(table: str, bridges: Iterable[str], forbidden: Iterable[str]) -> Iterator[bytes]:
    """Instead of whatever the table held."""
    yield from removal(table)
    yield message(NEW_TABLE, CREATE, attribute(1, table))
    names = [name.encode().ljust(NAME_BYTES, b"\0") for name in bridges]
    addresses = [socket.inet_aton(address) for address in forbidden]
    yield from a_set(table, BRIDGES, 1, TYPE_OF_NAMES, NAME_BYTES, names)
    yield from a_set(table, FORBIDDEN, 2, TYPE_OF_ADDRESSES, 4, addresses)
    yield chain(table, "forbid", "filter", BEFORE_ROUTING, BEFORE_TRANSLATION)
    yield chain(table, "masquerade", "nat", BEHIND_ROUTING, SOURCE_TRANSLATION)
    for name, expressions in rules():
        parts = attribute(1, table), attribute(2, name), nested(4, *expressions)
        yield message(NEW_RULE, CREATE | APPEND, *parts)


def removal(table: str) -> Iterator[bytes]:
    """What is not there cannot be deleted; it is made for that."""
    yield message(NEW_TABLE, CREATE, attribute(1, table))
    yield message(DELETE_TABLE, 0, attribute(1, table))


def chain(table: str, name: str, kind: str, hook: int, priority: int) -> bytes:
    place = nested(4, attribute(1, hook), attribute(2, priority))
    return message(
        NEW_CHAIN,
        CREATE,
        attribute(1, table),
        attribute(3, name),
        place,
        attribute(5, ACCEPT),
        attribute(7, kind),
    )


def a_set(table: str, name: str, number: int, kind: int, size: int, members: list[bytes]) -> Iterator[bytes]:
    shape = attribute(3, 0), attribute(4, kind), attribute(5, size), attribute(10, number)
    yield message(NEW_SET, CREATE, attribute(1, table), attribute(2, name), *shape)
    for start in range(0, len(members), AT_ONCE):
        elements = [nested(1, nested(1, attribute(1, one))) for one in members[start : start + AT_ONCE]]
        where = attribute(1, table), attribute(2, name), attribute(4, number)
        yield message(NEW_ELEMENTS, CREATE, *where, nested(3, *elements))


# --- the kernel -----------------------------------------------------------------------------------------


def send(messages: Iterable[bytes]) -> None:
    """All or nothing. Raises `Refused`."""
    batch, numbers = [message(BEGIN, 0, family=0)], set()
    for number, one in enumerate(messages, start=1):
        kind, flags = struct.unpack_from("=HH", one, 4)
        batch.append(one[:4] + struct.pack("=HHII", kind, flags | ACK, number, 0) + one[16:])
        numbers.add(number)
    batch.append(message(END, 0, family=0))
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as kernel:
            kernel.settimeout(ANSWER_SECONDS)
            kernel.bind((0, 0))
            kernel.send(b"".join(batch))
            while numbers:
                numbers -= set(acknowledged(kernel.recv(1 << 20)))
    except OSError as exc:
        raise Refused(f"the kernel's nf_tables do not take the rules ({exc})") from exc


def acknowledged(answer: bytes) -> Iterator[int]:
    """Raises `OSError`."""
    while answer:
        length, kind, _, number, _, code = struct.unpack_from("=IHHIIi", answer)
        if kind == ERROR:
            if code:
                raise OSError(-code, os.strerror(-code))
            yield number
        answer = answer[length + -length % 4 :]


def own_addresses(trie: str) -> list[str]:
    """Of /proc/net/fib_trie: the local ones, but for the loopback's."""
    found = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", trie)
    return sorted({address for address in found if not address.startswith("127.")})


def check_kernel(release: str) -> None:
    """Raises `Refused`."""
    found = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if found < NEEDED:
        raise Refused(f"its kernel is Linux {release}, and {'.'.join(map(str, NEEDED))} is needed")


def main(argument: str) -> None:
    wanted = json.loads(argument)
    with open("/proc/net/fib_trie") as trie:
        answer: dict[str, object] = {"addresses": own_addresses(trie.read())}
    try:
        if wanted.get("remove"):
            send(removal(wanted["table"]))
        else:
            check_kernel(os.uname().release)
            send(transaction(wanted["table"], wanted["bridges"], wanted["forbidden"]))
    except Refused as exc:
        answer["error"] = str(exc)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
