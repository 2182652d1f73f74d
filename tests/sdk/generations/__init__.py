"""The tour under several generations of the published Python SDK."""
