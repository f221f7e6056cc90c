"""The trainers: one object in one file each."""
