from workflows.limits import import_rows, newsletter, preview, sync
from workflows.queues import fire_alarm, nightly_report

ADA, BOB = {"customer": "Ada"}, {"customer": "Bob"}


def test_imports_of_a_customer_follow_each_other(keystroke):
    runs = [keystroke.start(import_rows, ADA) for _ in range(3)]
    keystroke.settle()
    assert [run.output for run in runs] == ["rows of Ada"] * 3


def test_a_second_sync_is_skipped(keystroke):
    first, second, other = (keystroke.run(sync, each) for each in (ADA, ADA, BOB))
    assert (second.status, second.status_reason) == ("canceled", "concurrency_skipped")
    keystroke.advance("1s")
    assert [first.output, other.output] == ["rows of Ada", "rows of Bob"]


def test_a_newer_preview_replaces_the_older_one(keystroke):
    older, newer = keystroke.run(preview, ADA), keystroke.run(preview, ADA, skip_time=True)
    assert (older.status, older.status_reason) == ("canceled", "concurrency_replaced")
    assert newer.output == "rows of Ada"


def test_newsletters_go_out_two_at_a_time(keystroke):
    runs = [keystroke.run(newsletter, ADA) for _ in range(4)]
    assert [run.status for run in runs] == ["success", "success", "queued", "queued"]
    keystroke.advance("2s")
    assert [run.status for run in runs] == ["success"] * 4


def test_what_is_urgent_comes_first(keystroke):
    report, alarm = keystroke.start(nightly_report), keystroke.start(fire_alarm)
    keystroke.settle()
    assert alarm.record.started_at < report.record.started_at
