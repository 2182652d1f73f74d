"""The fake's own pages under `/_fake/`, and the layer that writes the journal."""
