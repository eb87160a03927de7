from workflows.alert import risky
from workflows.orders import order, orders


def test_an_order_waits_for_its_parcel(keystroke):
    result = keystroke.run(order, {"order": "7"})
    assert result.output == "shipped as FR-7"
    assert [child.workflow for child in result.children] == ["ship-parcel"]


def test_one_parcel_without_a_way_does_not_keep_the_others(keystroke):
    parcels = [{"order": "1"}, {"order": "2", "country": "XX"}, {"order": "3", "country": "DE"}]
    result = keystroke.run(orders, parcels)
    assert result.output["1"] == "FR-1"
    assert result.output["2"].startswith("not shipped: ")
    assert result.output["3"] == "DE-3"


def test_no_parcel_is_sent_twice(keystroke):
    printed = keystroke.stub("print_label", returns="label")
    keystroke.crash_after("run:ship-parcel#0")
    result = keystroke.run(orders, [{"order": "1"}, {"order": "2"}])
    assert (result.status, result.recoveries, len(printed.seen)) == ("success", 1, 2)


def test_somebody_is_called_when_a_run_has_failed(keystroke):
    called = keystroke.stub("call_somebody", returns="called")
    assert keystroke.run(risky).status == "failed"
    assert [call.arguments["text"] for call in called.seen] == ["risky failed: the pump is dry"]
