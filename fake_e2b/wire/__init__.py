"""Bytes ↔ values: frames, messages, REST shapes, error texts. Pure."""
