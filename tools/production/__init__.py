"""Production's limits, distance and faults, for local runs and tests. Nothing in src/ knows of it."""
