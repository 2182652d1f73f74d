"""Properties that hold for the real service and for the fake alike; see README.md here."""
