"""What reads and writes: the types of the catalog's entries.

Each is imported by its own module's name, so that a worker that writes a shard loads no more than it needs.
"""
