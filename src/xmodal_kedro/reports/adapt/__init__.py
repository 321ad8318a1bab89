"""The report of `adapt`."""
