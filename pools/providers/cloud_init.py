"""What a machine is told when it first starts: cloud-init's user data.

It holds the machine's own token and no other secret: with that the machine fetches the swarm's token when it
joins. Only root reads it on the machine, and containers do not reach it (`Ec2Provider`).
Format: https://docs.cloud-init.io/en/latest/reference/modules.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

import yaml

METADATA = "http://169.254.169.254"
SETTINGS, PROGRAM = "/etc/agentainer/machine.json", "/usr/local/lib/agentainer/machine.py"
UNIT = f"""[Unit]
Description=Agentainer Flow: joins the swarm, and tells when this machine is taken away
After=network-online.target docker.service
Wants=network-online.target

[Service]
ExecStart=/usr/bin/env python3 {PROGRAM} {SETTINGS}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def user_data(url: str, token: str, setup: Sequence[str] = ()) -> str:
    """`url` is the platform's, as machines reach it; `setup`: lines for a shell, before the machine joins."""
    program = (files(__package__) / "machine.py").read_text()
    settings = json.dumps({"url": url, "token": token, "metadata": METADATA})
    document = {
        "write_files": [
            {"path": SETTINGS, "permissions": "0600", "owner": "root:root", "content": settings},
            {"path": PROGRAM, "permissions": "0755", "owner": "root:root", "content": program},
            {"path": "/etc/systemd/system/agentainer-machine.service", "content": UNIT},
        ],
        "runcmd": [
            *(["sh", "-c", line] for line in setup),
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "agentainer-machine.service"],
        ],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False)
