"""The contracts, on the fake or on the target that `--target` or `FAKE_E2B_TARGET` names."""
