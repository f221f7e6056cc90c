"""What a server answers."""

ANALYSIS = "It encourages cruelty to an animal, which is illegal, and leaves a family without its companion."
