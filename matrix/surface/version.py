"""The number that every kept record and surface carries; raise it when reading or assembling changes."""

READER = 14
