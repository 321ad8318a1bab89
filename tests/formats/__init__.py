"""The table of formats: what is used of each container, codec and device, measured on files that PyAV writes."""
