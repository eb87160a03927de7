"""Relaxed durability: many small steps, recorded in groups.

A crash may then execute the last steps again although later code has used their results. Right for steps that only compute.
"""

from keystroke import Context, action, workflow


@action
def square(number: int) -> int:
    return number * number


@workflow("crunch", name="Crunch", durability="relaxed")
def crunch(numbers: int, ctx: Context) -> int:
    """The sum of many squares."""
    return sum(square(number) for number in range(numbers))
