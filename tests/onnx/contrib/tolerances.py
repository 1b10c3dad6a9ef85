"""Names of tolerances, and the options of `heed test` that they are. A case's is chosen by the
dtypes of its outputs, unless it names one. Separate because it needs no package."""

TOLERANCES = {
    "full": ("--rtol", "1e-4", "--atol", "1e-5"),
    # Recurrences in float32, each side with another rounding.
    "recurrent": ("--rtol", "1e-3", "--atol", "1e-4"),
    "half": ("--rtol", "1e-2", "--atol", "1e-2"),
    # Integers that were rounded: a sum in another order may end on the other side of a half.
    "step": ("--rtol", "0", "--atol", "1.01"),
    # Results of arithmetic with inputs that were rounded to a few bits on the way.
    "coarse": ("--rtol", "2e-2", "--atol", "2e-2"),
}
