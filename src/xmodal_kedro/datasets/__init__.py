"""Kedro datasets: the types of the catalog's entries.

Each is imported from its own module, so that a worker that writes a shard imports only what it needs.
"""
