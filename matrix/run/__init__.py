"""Running a plan: workers, their supervisor, and the journal of what they found."""
