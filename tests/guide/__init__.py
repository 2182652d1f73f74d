"""The user guide's examples, section by section, with the published SDKs."""
