from keystroke import Context, workflow

from actions.research import research
from actions.score import score
from actions.write_brief import write_brief
from leads import Brief, Signup


@workflow("signup-pipeline", name="Signup pipeline", tags={"team": "sales"}, tool=True)
def signup_pipeline(signup: Signup, ctx: Context) -> Brief:
    """Research a signup, score it, and write a brief for the sales team."""
    ctx.progress(0.0, f"Researching {signup.name}")
    findings = research(signup, ctx)

    ctx.progress(0.4, "Scoring the lead")
    points = score(signup, ctx)

    ctx.progress(0.8, "Writing the brief")
    return write_brief(signup, findings, points, ctx)
