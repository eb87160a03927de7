"""A budget: the run ends where its steps have cost more than it may."""

from keystroke import Context, action, workflow


@action
def ask_model(question: str, ctx: Context) -> str:
    ctx.usage.add("model", "research-mini", quantity=900, unit="tokens", cost="0.02")
    return f"about {question}"


@workflow("thrifty", name="Thrifty", budget="0.05")
def thrifty(questions: list[str], ctx: Context) -> list[str]:
    """Each question costs two cents; the third one is beyond the budget."""
    return [ask_model(question, ctx) for question in questions]
