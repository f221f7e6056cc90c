"""Instructions: where they come from, how foreign columns are named, and what is refused on the way in."""
