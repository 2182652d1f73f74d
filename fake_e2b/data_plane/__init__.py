"""Routes of one sandbox: the daemon, the code interpreter, opened ports."""
