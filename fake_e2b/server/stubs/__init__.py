"""Answering the calls of stubbed programs, each in a thread of its own."""
