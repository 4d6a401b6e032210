"""The documentation site: pages that people wrote (`docs/`), pages that are made of the code, one build.

`building` brings both together and builds them; `reference` makes pages of the command line, the REST API,
the workflow document and the errors.

Does not: belong to the platform or to the SDK. It imports both, and neither imports it.
"""
