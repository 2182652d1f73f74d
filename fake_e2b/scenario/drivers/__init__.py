"""The clients of a story: one driver for each published SDK, all with the same steps."""
