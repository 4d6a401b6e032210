"""Runs of a workflow in this process, with no server: for tests and for debugging.

It interprets the document that the SDK compiles to, and so runs whatever the platform runs; the bodies of
steps are called here, images are answered by mocks. Does not: keep anything, isolate bodies, or stop a sync
body that takes too long (its thread is left behind).
"""
