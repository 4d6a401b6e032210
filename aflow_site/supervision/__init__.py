"""One machine's platform: sets it up, starts it under a supervisor, watches it, and takes it down again.

Does not: know what workflows and pools do (their facades are asked), or run inside the platform's processes.
"""
