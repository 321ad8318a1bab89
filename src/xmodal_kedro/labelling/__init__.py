"""Machine labels: teachers, what they say of clips, and how two of them become one training target."""
