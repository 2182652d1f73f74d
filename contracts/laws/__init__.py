"""Single properties, each a function that takes a `Target` and what was drawn for it."""
