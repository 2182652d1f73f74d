"""What a test may ask of the fake besides the API: which requests, when, and what becomes of them.

A rule is a match (`match.RequestMatch`), a point in the request's life (`point.Point`) and an
effect (`effects`). A gate is a rule whose effect is to hold.
"""
