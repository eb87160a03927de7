from workflows.crunch import crunch
from workflows.persistent import persistent
from workflows.pipeline import pipeline
from workflows.prices import prices, stock
from workflows.thrifty import thrifty
from workflows.timebox import survey


def test_results_come_in_order(keystroke):
    assert keystroke.run(prices, ["pen", "ink", "paper"]).output == {"pen": 300, "ink": 300, "paper": 500}
    result = keystroke.run(stock, ["pen", "paper"])
    assert result.output == 8
    assert list(result.steps) == ["0/look_up_stock#0", "1/look_up_stock#0"]


def test_a_survey_that_takes_too_long_ends(keystroke):
    keystroke.stub("measure_room", returns=1, takes="300ms")
    result = keystroke.run(survey, {})
    assert (result.status, result.status_reason) == ("failed", "timeout")
    assert result.logs[-1].body == "The ladder is put away."


def test_the_third_attempt_succeeds(keystroke):
    read = keystroke.stub("read_meter", returns=7)
    result = keystroke.run(persistent, skip_time=True)
    assert (result.output, result.attempts, len(read.seen)) == ("The meter says 7.", 3, 1)


def test_the_meter_does_not_answer_at_first(keystroke):
    keystroke.stub("read_meter", returns=7)
    silent = keystroke.stub("read_meter", raises=ConnectionError("no answer"), times=2)
    assert keystroke.run(persistent, skip_time=True).output == "The meter says 7."
    assert len(silent.seen) == 2


def test_relaxed_steps_that_were_not_yet_written_are_executed_again(keystroke):
    squared = keystroke.stub("square", calls=lambda number: number * number)
    keystroke.crash_after("square#3")
    result = keystroke.run(crunch, 10)
    assert (result.output, result.recoveries) == (285, 1)
    assert len(squared.seen) == 14


def test_the_third_question_is_beyond_the_budget(keystroke):
    result = keystroke.run(thrifty, ["cats", "dogs", "birds", "fish"])
    assert (result.status, result.status_reason) == ("failed", "budget_exceeded")
    assert len(result.steps) == 3


def test_a_closed_warehouse(keystroke):
    assert keystroke.run(pipeline, {"rows": 4}).output == 10
    result = keystroke.run(pipeline, {"broken": True})
    assert (result.error.message, result.error.step) == ("the warehouse is closed", "load#0")
