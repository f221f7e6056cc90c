"""What a run writes: where it lies while it is made, and what vouches for it."""
