"""Performs the rules that tests put in force: one layer between the journal and the planes."""
