"""The commands of `fake-e2b`, one file each."""
