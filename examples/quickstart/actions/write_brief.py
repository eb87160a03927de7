from keystroke import Context, action

from leads import Brief, Signup


@action
def write_brief(signup: Signup, findings: str, points: int, ctx: Context) -> Brief:
    """Write what the sales team reads."""
    ctx.usage.add("service", "typesetting", quantity=1, unit="brief", cost="0.01")
    advice = "Call today." if points >= 50 else "Send the newsletter."
    return Brief(brief=f"{findings} {signup.name} scores {points} of 100. {advice}", score=points)
