"""What keeps the project true to itself: facts, docs, exports, the wheel, the resolver."""
