from keystroke import Context, workflow
from pydantic import BaseModel, Field

from actions.read_section import read_section


class Report(BaseModel):
    sections: int = Field(default=30, ge=1, le=1000)
    seconds_per_section: float = Field(default=1.0, ge=0, le=60)


class Summary(BaseModel):
    sections: int
    words: int


@workflow("long-report", name="Long report")
def long_report(report: Report, ctx: Context) -> Summary:
    """Read a long report, section by section.

    Cancel it, or kill its worker: each section that was read stays read.
    """
    words = 0
    for number in range(1, report.sections + 1):
        words += read_section(number, report.seconds_per_section)
        ctx.progress(number / report.sections, f"Read section {number} of {report.sections}")
    return Summary(sections=report.sections, words=words)
