"""Each Monday at seven in Paris, summer and winter."""

from keystroke import schedule

from workflows.long_report import long_report

weekly_report = schedule(
    "weekly-report",
    "0 7 * * MON",
    timezone="Europe/Paris",
    payload={"sections": 12, "seconds_per_section": 0.5},
    overlap="skip",
    pause_after=3,
)
weekly_report.attach(long_report)
