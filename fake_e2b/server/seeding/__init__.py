"""Fills a fake from a seed, and writes one of what is in it."""
