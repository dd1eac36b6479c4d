"""The example notebooks: how they are run, and what holds them to what they say."""
