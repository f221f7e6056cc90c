"""A data layout of your own: rows whose columns amends does not know are read by a function of yours.

python examples/05_an_own_data_layout.py
"""

import amends


@amends.register_layout("questions of our support", ["Question", "Good answer"])
def support(row: dict[str, str]) -> dict[str, str]:
    """What a row says: a prompt and, where there is one, an answer that is known to be safe."""
    return {"prompt": row["Question"], "chosen": row["Good answer"]}


rows = amends.load_data(
    [
        {"Question": "My parcel is late. Are you all fools?", "Good answer": "I am sorry. Let me look where it is."},
        {"Question": "How do I return a plant?", "Good answer": "Send it back within two weeks."},
    ]
)
for row in rows:
    print(row.prompt, "->", row.chosen)

# A column that speaks against an answer is still heeded: such a row is refused, not read as safe.
try:
    amends.load_data([{"Question": "Who am I?", "Good answer": "You are a worthless fool.", "is_safe": False}])
except amends.AmendsError as error:
    print(error)
else:
    raise SystemExit("the row should have been refused")
