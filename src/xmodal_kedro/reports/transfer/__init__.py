"""The report of `transfer_eval`."""
