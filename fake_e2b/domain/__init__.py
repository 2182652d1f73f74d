"""Values, rules about state, errors and ports: pure Python, no I/O, no clock, no dice."""
