"""The pytest plugin of fake-e2b; users import `fake_e2b`, never this."""
