"""What a map goes over when that lies elsewhere: files of lines, JSON Lines, CSV and JSON, directories, on
a disk, at a URL or in a store of objects.

    for item in read_items("s3://bucket/orders.csv.gz"): ...

Files are read line by line, whatever their size. Agents read sources for the platform (`sources.agent`),
and local runs read them in their own process, by the same code. Needs the standard library for disks and
HTTP; everything else goes through fsspec (`pip install 'agentainer-flow[sources]'`).
Does not: know who asks, or keep anything.
"""

from agentainer_flow.sources.opening import SourceError
from agentainer_flow.sources.reading import FORMATS, read_items

__all__ = ["FORMATS", "SourceError", "read_items"]
