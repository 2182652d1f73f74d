"""Hypothesis state machines: any order of operations, compared with a model after each."""
