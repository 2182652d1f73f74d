"""REST routes of the control plane: a route parses, calls one operation, renders."""
