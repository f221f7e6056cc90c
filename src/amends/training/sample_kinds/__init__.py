"""The kinds of samples: what methods are trained on, and what each kind is made of."""
