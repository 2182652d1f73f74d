"""Stories: a seed, steps and what each step must show, read from TOML and played on a server."""
